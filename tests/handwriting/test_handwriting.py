"""Template pages and their way back: printed, written on, photographed badly, cut.

Nothing here is a mock: pages are the command's own PDF in pixels, what is written on them are a font's glyphs, and
every picture goes through the real command as a JPEG.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from fontgan.data.charset_sets import NAMED
from fontgan.data.frame import Frame
from fontgan.data.image_source import name_from_char
from fontgan.data.sources import open_glyphs
from fontgan.handwriting.pdf import GHOST
from fontgan.handwriting.sheet import PAPERS, ROOM, NotAPage, Page, canvas_frame, code_modules, label_mm, lay_out
from tests.handwriting.simulated import (
    CHARS,
    DPI,
    INK,
    PAGE,
    RIGHT,
    SIZE,
    SKIPPED,
    makes,
    overlap,
    overlaps,
    photograph,
    printed,
    save_jpeg,
    template,
    write,
)
from tests.helpers import BRUSH, KAI, SOURCE, Here, box, make_font

# What may happen to a page between pen and file.
DISTORTIONS: dict[str, dict[str, Any]] = {
    "flatbed scan": {},
    "turned 3 degrees": {"turn": 3, "noise": 3},
    "on its side": {"turn": 90.8, "noise": 3},
    "upside down": {"turn": 179, "noise": 3},
    "tilted": {"tilt": 0.18, "turn": -4, "noise": 3, "scale": 1.1},
    "blurred": {"turn": 1, "blur": 1.6, "noise": 3},
    "uneven light": {"turn": -2, "shade": 0.55, "noise": 3},
    "a shadow": {"turn": 2, "shade": 0.2, "shadow": True, "noise": 3},
    "noise": {"turn": -1, "noise": 14},
    "bent paper": {"bend": 1.3, "turn": 1, "noise": 3},
    "150 dpi": {"turn": 2, "scale": 0.75, "noise": 3},
    "all of it": {"turn": -3, "tilt": 0.12, "scale": 0.9, "blur": 1, "shade": 0.4, "shadow": True, "noise": 6},
}


# -- the way there and back ---------------------------------------------------------------------


@pytest.mark.thinned(4)
@pytest.mark.parametrize("name", DISTORTIONS)
def test_cells_survive(name: str, page_picture: np.ndarray, here: Here, tmp_path: Path) -> None:
    """Of every distorted page at least 99 % of the written cells are cut rightly, and no empty one is."""
    number = list(DISTORTIONS).index(name)
    written = write(page_picture, PAGE, (KAI, BRUSH)[number % 2], seed=number, skip=SKIPPED)
    save_jpeg(photograph(written.picture, **DISTORTIONS[name], seed=number), tmp_path / "page.jpg")
    out = tmp_path / "out"
    said = makes(here, "scan", f"pages={tmp_path / 'page.jpg'}", f"out={out}", f"size={SIZE}")
    found = overlaps(out, written)
    assert len(found) == len(CHARS) - len(SKIPPED) == 58
    print(f"{name}: smallest {min(found.values()):.3f}, median {np.median(list(found.values())):.3f}, {said}")
    assert np.mean([value > RIGHT for value in found.values()]) >= 0.99, found
    assert not [char for char in SKIPPED if (out / f"{name_from_char(char)}.png").exists()]
    assert f"{len(SKIPPED)} cells are empty" in said
    assert "doubtful" not in said


def test_a_shifted_cell_would_fail(page_picture: np.ndarray) -> None:
    """What the bound means: moved by 3 % of the em, or of a neighbouring character, nothing would be right."""
    written = write(page_picture, PAGE, KAI, seed=0)
    step = round(0.03 * canvas_frame(SIZE).scale)
    glyphs = list(written.truth.values())
    moved = [overlap(np.roll(glyph, (step, step), (0, 1)), glyph) for glyph in glyphs]
    other = [overlap(a, b) for a, b in pairwise(glyphs)]
    assert max(moved) < RIGHT
    assert max(other) < RIGHT


def test_grey_levels_are_kept_at_the_edges(page_picture: np.ndarray, here: Here, tmp_path: Path) -> None:
    written = write(page_picture, PAGE, KAI, seed=0, skip=SKIPPED)
    save_jpeg(written.picture, tmp_path / "page.jpg")
    makes(here, "scan", f"pages={tmp_path / 'page.jpg'}", f"out={tmp_path / 'out'}", "size=256")
    for char, truth in list(written.truth.items())[:8]:
        glyph = np.asarray(Image.open(tmp_path / "out" / f"{name_from_char(char)}.png"))
        assert glyph.shape == (256, 256)
        assert ((glyph > 20) & (glyph < 235)).mean() > 0.01  # antialiased
        assert (glyph == 255).mean() > 0.5  # no guide, no ghost, no paper tone
        # The edges are where they were: as much ink as was drawn.
        assert (255.0 - glyph).mean() == pytest.approx((255.0 - truth).mean(), rel=0.04)


def test_letters_small_signs_and_other_papers(here: Here, tmp_path: Path) -> None:
    """Dots and dashes are no dust; a3 and letter pages know themselves; a page lies any way up."""
    chars = "agQj.,-'!一二8i:"
    for paper, cell, turn in (("letter", 30, 90), ("a3", 15, 180)):
        folder = tmp_path / paper
        folder.mkdir()
        (picture,) = printed(template(here, folder, chars, f"paper={paper}", f"cell_mm={cell}"))
        written = write(picture, lay_out(chars, paper, cell)[0], SOURCE, seed=1, room=0.8)
        save_jpeg(photograph(written.picture, turn=turn), folder / "page.jpg", 80)
        makes(here, "scan", f"pages={folder}/*.jpg", f"out={folder / 'out'}", f"size={SIZE}")
        found = overlaps(folder / "out", written)
        assert len(found) == len(chars)
        assert min(found.values()) > 0.65, (paper, found)  # a dot of six pixels loses more by a blurred edge


def test_a_lost_marker_is_made_up_for(page_picture: np.ndarray, here: Here, tmp_path: Path) -> None:
    written = write(page_picture, PAGE, KAI, seed=3)
    thumb = written.picture.copy()
    cv2.circle(thumb, (60, thumb.shape[0] - 110), 95, (205, 160, 140), -1)
    save_jpeg(photograph(thumb, turn=2, tilt=0.08), tmp_path / "page.jpg")
    said = makes(here, "scan", f"pages={tmp_path}", f"out={tmp_path / 'out'}", f"size={SIZE}")
    assert "the marker bottom left is not seen" in said
    found = overlaps(tmp_path / "out", written)
    assert np.mean([value > RIGHT for value in found.values()]) >= 0.99, found


def test_the_result_is_a_glyph_folder_for_every_other_verb(
    page_picture: np.ndarray, here: Here, tmp_path: Path
) -> None:
    written = write(page_picture, PAGE, KAI, seed=0, skip=SKIPPED)
    save_jpeg(written.picture, tmp_path / "page.jpg")
    makes(here, "scan", f"pages={tmp_path / 'page.jpg'}", f"out={tmp_path / 'out'}", f"size={SIZE}")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["made_by"] == "fontgan scan"
    assert manifest["characters"] == 58
    assert manifest["pages"] == [{"picture": "page.jpg", "page": 1, "of": 1, "written": 58, "empty": 6}]
    glyphs = open_glyphs(str(tmp_path / "out"))
    coverage = glyphs.coverage(None)
    assert set(coverage.present) == set(written.truth)
    assert not [finding for finding in coverage.diagnostics if finding.level != "note"]
    # Drawn in the em square as the hand did: what a training sees.
    char = coverage.present[0]
    drawn, em = glyphs.rasterize(char, Frame(64, 0, 0), 64), canvas_frame(SIZE)
    expected = Image.fromarray(written.truth[char]).resize(
        (64, 64), Image.Resampling.BICUBIC, box=(em.dx, em.dy, em.dx + em.scale, em.dy + em.scale)
    )
    assert overlap(drawn, np.asarray(expected)) > 0.85


# -- what someone should look at ----------------------------------------------------------------


def test_pages_that_nobody_wrote_on_are_no_success(
    page_picture: np.ndarray, refused: Callable[..., str], tmp_path: Path
) -> None:
    save_jpeg(page_picture, tmp_path / "page.jpg")
    line = refused("scan", f"pages={tmp_path / 'page.jpg'}", f"out={tmp_path / 'out'}", f"size={SIZE}")
    assert "no cell of any page holds ink" in line


def test_doubtful_cells_are_named_and_shown(page_picture: np.ndarray, here: Here, tmp_path: Path) -> None:
    written = write(page_picture, PAGE, KAI, seed=0, skip=CHARS[:6])
    boxes, mm = dict(PAGE.em_boxes()), DPI / 25.4

    def px(value: float) -> int:
        return round(value * mm)

    dot, cut, speck, faint, blot, both = (boxes[char] for char in CHARS[:6])
    ink = tuple(INK)
    cv2.circle(written.picture, (px(dot.x0 + 9), px(dot.y0 + 9)), px(0.5), ink, -1)
    cv2.line(written.picture, (px(cut.x0 + 10), px(cut.y0 + 10)), (px(cut.x0 + 10), px(cut.y1 + 3)), ink, px(1))
    cv2.circle(written.picture, (px(speck.x0 + 9), px(speck.y0 + 9)), 1, ink, -1)
    cv2.line(written.picture, (px(faint.x0 + 3), px(faint.y0 + 10)), (px(faint.x1 - 3), px(faint.y0 + 10)), (168, 168, 170), px(1.2))  # fmt: skip
    cv2.rectangle(written.picture, (px(blot.x0 + 1), px(blot.y0 + 1)), (px(blot.x1 - 1), px(blot.y1 - 1)), ink, -1)
    cv2.line(written.picture, (px(both.x0 + 4), px(both.y0 + 10)), (px(both.x1 + 2), px(both.y0 + 10)), ink, px(1))
    save_jpeg(written.picture, tmp_path / "page.jpg")
    said = makes(here, "scan", f"pages={tmp_path / 'page.jpg'}", f"out={tmp_path / 'out'}", f"size={SIZE}")
    doubtful = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["doubtful"]
    dot_, cut_, speck_, faint_, blot_, both_ = (name_from_char(char) for char in CHARS[:6])
    assert doubtful == {
        dot_: ["very little ink"],
        cut_: ["ink reaches the edge of its cell"],
        faint_: ["faint ink"],
        blot_: ["crossed out or scribbled over", "in shadow or blotted"],
        both_: ["ink reaches the edge of its cell"],
    }
    assert "1 cells are empty" in said  # the speck
    assert not (tmp_path / "out" / f"{speck_}.png").exists()
    assert all(name in said for name in doubtful)
    with Image.open(tmp_path / "out-doubtful.png") as picture:
        assert picture.height > 5 * 128
    # The neighbour of a stroke that runs over keeps its own ink alone.
    neighbour = CHARS[6]
    assert overlaps(tmp_path / "out", written)[neighbour] > RIGHT


def test_a_bare_page_gives_no_glyphs(page_picture: np.ndarray, here: Here, tmp_path: Path) -> None:
    bare = photograph(write(page_picture, PAGE, KAI, seed=0, skip=CHARS).picture, turn=2, noise=6, shade=0.4)
    save_jpeg(bare, tmp_path / "page.jpg")
    said = makes(here, "scan", f"pages={tmp_path / 'page.jpg'}", f"out={tmp_path / 'out'}", code=2)
    assert "nothing is written on it" in said
    assert "0 glyphs of 1 page" in said
    assert "no cell of any page holds ink" in said
    assert not list((tmp_path / "out").glob("U+*.png"))


def test_cells_are_kept_as_the_picture_shows_them(page_picture: np.ndarray, here: Here, tmp_path: Path) -> None:
    written = write(page_picture, PAGE, KAI, seed=0, skip=SKIPPED)
    save_jpeg(photograph(written.picture, turn=2, shade=0.3, noise=3), tmp_path / "page.jpg")
    out, seen = tmp_path / "out", tmp_path / "seen"
    scan = ("scan", f"pages={tmp_path / 'page.jpg'}", f"out={out}", f"cells={seen}", f"size={SIZE}")
    makes(here, *scan)
    glyphs = {file.name for file in out.glob("U+*.png")}
    assert {file.name for file in seen.glob("U+*.png")} == glyphs  # no empty cell
    for char in written.truth:
        cut, cell = (np.asarray(Image.open(folder / f"{name_from_char(char)}.png")) for folder in (out, seen))
        assert cell.shape == cut.shape
        paper = np.median(cell)
        assert paper < 245  # as it was, though in even light
        assert overlap(np.where(cell < 0.6 * paper, 0, 255).astype(np.uint8), cut) > RIGHT  # the ink where it was cut
    # Of a glyph that stays, the picture stays too.
    char, *_ = written.truth
    (earlier,) = seen.glob(f"{name_from_char(char)}.png")
    other = write(page_picture, PAGE, BRUSH, seed=1, skip=SKIPPED)
    save_jpeg(other.picture, tmp_path / "page.jpg")
    before = earlier.read_bytes()
    makes(here, *scan)
    assert earlier.read_bytes() == before
    makes(here, *scan, "overwrite=true")
    assert earlier.read_bytes() != before
    assert min(overlaps(out, other).values()) > RIGHT


def test_a_crossed_out_cell_is_kept_and_its_better_writing_replaces_it(
    page_picture: np.ndarray, here: Here, tmp_path: Path
) -> None:
    crossed, better = (write(page_picture, PAGE, KAI, seed=0, skip=CHARS[1:]) for _ in range(2))
    em, mm = dict(PAGE.em_boxes())[CHARS[0]], DPI / 25.4
    for start, end in (((em.x0, em.y0), (em.x1, em.y1)), ((em.x0, em.y1), (em.x1, em.y0))):
        (x0, y0), (x1, y1) = ((round(x * mm), round(y * mm)) for x, y in (start, end))
        cv2.line(crossed.picture, (x0, y0), (x1, y1), tuple(INK), round(mm))
    file = tmp_path / "seen" / f"{name_from_char(CHARS[0])}.png"
    dark = []
    for number, page in enumerate((crossed, better)):
        save_jpeg(page.picture, tmp_path / f"{number}.jpg")
        makes(
            here, "scan", f"pages={tmp_path / f'{number}.jpg'}", f"out={tmp_path / 'out'}", f"cells={file.parent}",
            f"size={SIZE}",
        )  # fmt: skip
        dark.append((np.asarray(Image.open(file)) < 128).mean())
    assert dark[0] > 1.4 * dark[1] > 0


# -- several pictures ---------------------------------------------------------------------------


def test_pages_mix_and_what_is_no_page_is_named(page_picture: np.ndarray, here: Here, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    mine = write(page_picture, PAGE, KAI, seed=0, skip=CHARS[20:])
    other_chars = CHARS[8:12] + "ABCD"
    (other_picture,) = printed(template(here, tmp_path, other_chars))
    other = write(other_picture, lay_out(other_chars, "a4", 20)[0], BRUSH, seed=1, skip="ABCD")
    save_jpeg(mine.picture, photos / "a.jpg")
    Image.fromarray(other.picture).save(photos / "b.png")
    save_jpeg(np.full((600, 800, 3), 120, np.uint8), photos / "cat.jpg")
    torn = page_picture.copy()
    torn[60:420, 1100:1480] = 255
    save_jpeg(torn, photos / "torn.jpg")
    (photos / "zero.jpg").write_bytes(b"")
    (photos / "text.tif").write_text("not an image")
    out = tmp_path / "out"
    said = makes(here, "scan", f"pages={photos}", f"out={out}", f"size={SIZE}", code=1)
    for line in (
        "cat.jpg: no page of fontgan template is seen: none of its 4 corner markers.",
        "torn.jpg: its code cannot be read; take a sharper or closer picture, with the code clean.",
        "zero.jpg: not an image that can be read (the file is empty).",
        "text.tif: not an image that can be read (of no known format).",
        "4 of 6 pictures could not be read; the rest is done.",
        "4 characters are on two pages; the first stays",
    ):
        assert line in said
    assert min(overlaps(out, mine).values()) > RIGHT  # also where b.png has the same characters
    # Again, with what was kept out: glyphs that are there stay, unless they may be replaced.
    again = ("scan", f"pages={photos / 'b.png'}", f"out={out}", f"size={SIZE}")
    assert "4 glyphs were there before and stay" in makes(here, *again)
    assert min(overlaps(out, mine).values()) > RIGHT
    makes(here, *again, "overwrite=true")
    assert min(overlaps(out, other).values()) > RIGHT
    assert "of size 128" in makes(here, *again[:3], "size=64", code=2)


def test_a_list_of_pictures_and_a_tiff_of_several(here: Here, tmp_path: Path) -> None:
    chars = CHARS[:6]
    pages = lay_out(chars, "a4", 60)
    pictures = printed(template(here, tmp_path, chars, "cell_mm=60"))
    assert len(pages) == len(pictures) == 2
    written = [write(picture, page, BRUSH, seed=2) for picture, page in zip(pictures, pages, strict=True)]
    first, second = (Image.fromarray(page.picture) for page in written)
    first.save(tmp_path / "both.tif", save_all=True, append_images=[second], compression="tiff_lzw")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    first.rotate(90, expand=True).save(tmp_path / "first.jpg", exif=exif)
    makes(here, "scan", f"pages={tmp_path / 'both.tif'}", f"out={tmp_path / 'a'}", f"size={SIZE}")
    assert all(min(overlaps(tmp_path / "a", page).values()) > RIGHT for page in written)
    listed = f"pages=[{tmp_path / 'first.jpg'},{tmp_path / 'both.tif'}]"
    said = makes(here, "scan", listed, f"out={tmp_path / 'b'}", f"size={SIZE}")
    assert "4 characters are on two pages" in said
    assert all(min(overlaps(tmp_path / "b", page).values()) > RIGHT for page in written)


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("ghost", [False, True])
def test_marks_and_wide_glyphs_are_shown_in_their_own_cells(ghost: bool, here: Here, tmp_path: Path) -> None:
    """Fonts have marks left of their origin, where the cell before is; a dotted circle stands for the letter."""
    font = make_font(
        tmp_path / "marks.ttf",
        {
            "a": box(50, 0, 500, 500), "\u0301": box(-400, 600, -250, 750), "\u031b": box(-120, 400, 30, 600),
            "\u035c": box(-350, -200, 350, -120), "\u0e34": box(-300, 600, -200, 700), "\u3099": box(-250, 650, -50, 850),
            "\ufdfd": box(100, 0, 6000, 500), "क": box(-2300, 0, -1500, 700),
        },
    )  # fmt: skip
    chars = "a\u0301\u031b\u035c\u0e34\u3099\ufdfdक"
    pdf = template(here, tmp_path, " ".join(chars), f"font={font}", f"ghost={str(ghost).lower()}", "cell_mm=20")
    (page,), (picture,) = lay_out(chars, "a4", 20), printed(pdf)
    labels = picture.max(axis=2) < 160
    pale = (abs(picture.astype(int) - GHOST) < 4).all(axis=2)
    at = DPI / 25.4  # pixels a millimetre
    for char, em in page.em_boxes():
        side, bottom = 0.85 * label_mm(page.cell), em.y0 - ROOM * page.cell
        strip = labels[round(at * (bottom - 1.2 * side)) : round(at * bottom), round(at * em.x0) : round(at * em.x1)]
        across = np.flatnonzero(strip.any(axis=0)) / at
        assert abs((across[0] + across[-1]) / 2 - page.cell / 2) < 0.4 * side, f"U+{ord(char):04X}"
        assert np.ptp(across) < 1.3 * side
        inside = pale[round(at * em.y0) + 5 : round(at * em.y1) - 5, round(at * em.x0) + 5 : round(at * em.x1) - 5]
        seen = inside.sum() > 200  # the guides' lines are darker, and few of their edges as pale
        assert seen == (ghost or char in "\u0301\u031b\u035c\u0e34"), f"U+{ord(char):04X}"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("chars=永", "cell_mm=5"), "cell_mm=5: 10 to 60 millimetres"),
        (("chars=永", "cell_mm=61"), "cell_mm=61: 10 to 60 millimetres"),
        (("chars=永", "cell_mm=nan"), "cell_mm=nan: a finite number is needed"),
        (("chars=永", "paper=b5"), "paper=b5: choose one of a4, a3, letter"),
        (("chars=gb2312-9",), "chars=gb2312-9: no set of that name"),
        (("chars=none.txt",), "chars=none.txt: no such file"),
        (("chars=ascii+kanji",), "chars=ascii+kanji: kanji is no set"),
        (("chars=font",), "chars=font: whose?"),
        (("chars=永", "font=none.ttf"), "none.ttf: no such font file"),
        (("chars=永", "out=sheets.png"), "Name a file that ends in .pdf"),
    ],
)
def test_template_refuses(settings: tuple[str, ...], said: str, refused: Callable[..., str], tmp_path: Path) -> None:
    assert said in refused("template", f"out={tmp_path / 'a.pdf'}", *settings)
    assert not list(tmp_path.iterdir())


def test_template_refuses_what_is_there_and_what_cannot_be_written(
    refused: Callable[..., str], here: Here, tmp_path: Path
) -> None:
    pdf = template(here, tmp_path, "永")
    before = pdf.read_bytes()
    assert "is there already" in refused("template", "chars=一", f"out={pdf}")
    (tmp_path / "x.pdf").mkdir()
    assert "is a folder" in refused("template", "chars=一", f"out={tmp_path / 'x.pdf'}")
    assert str(pdf) in refused("template", "chars=一", f"out={pdf / 'below.pdf'}")
    assert pdf.read_bytes() == before
    makes(here, "template", "chars=一", f"out={pdf}", "overwrite=true")
    assert pdf.read_bytes() != before


def test_template_says_what_its_font_lacks(here: Here, tmp_path: Path) -> None:
    said = makes(here, "template", "chars=永🙂永", "ghost=true", f"out={tmp_path / 'a.pdf'}")
    assert "no usable glyph for 1 of the 2 characters" in said
    assert "2 characters on 1 page of a4" in said
    text = pypdfium2.PdfDocument(tmp_path / "a.pdf")[0].get_textpage().get_text_range()
    assert "U+1F642" in text
    assert "Page 1 of 1" in text


def test_scan_refuses(refused: Callable[..., str], page_picture: np.ndarray, tmp_path: Path) -> None:
    page = save_jpeg(page_picture, tmp_path / "page.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "images").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "images" / "U+4E00.png")
    out = f"out={tmp_path / 'out'}"
    assert "no file fits it" in refused("scan", f"pages={tmp_path}/*.png", out)
    assert "holds no images" in refused("scan", f"pages={tmp_path / 'empty'}", out)
    assert "name at least one" in refused("scan", "pages=[]", out)
    assert "size=100: choose one of" in refused("scan", f"pages={page}", out, "size=100")
    assert "ends in .png" in refused("scan", f"pages={page}", out, "report=doubtful.jpg")
    assert "outside of out" in refused("scan", f"pages={page}", out, f"report={tmp_path / 'out' / 'doubtful.png'}")
    assert "did not make" in refused("scan", f"pages={page}", f"out={tmp_path / 'images'}")
    assert "did not make" in refused("scan", f"pages={page}", out, f"cells={tmp_path / 'images'}")
    assert "is a file" in refused("scan", f"pages={page}", out, f"cells={page}")
    for inside in ("out", "out/cells", "images/../out/a/b"):
        assert "outside of out" in refused("scan", f"pages={page}", out, f"cells={tmp_path / inside}")
    assert "is a file" in refused("scan", f"pages={page}", f"out={page}")
    assert "none of its 4 corner" in refused("scan", f"pages={tmp_path / 'images' / 'U+4E00.png'}", out)
    assert not (tmp_path / "out").exists()


# -- codes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("cell", [10, 14.5, 20, 60])
def test_every_page_lies_on_its_paper_and_is_told_by_its_code(paper: str, cell: float) -> None:
    chars = NAMED["gb2312-1"]() + list(map(chr, range(0x20000, 0x20100)))
    pages = lay_out(chars, paper, cell)
    assert "".join(page.chars for page in pages) == "".join(chars)
    width, height = PAPERS[paper]
    for page in (pages[0], pages[-1]):
        assert Page.from_text(page.to_text()) == page
        modules = code_modules(page.to_text())
        assert 40 / len(modules) >= 0.5  # millimetres
        boxes = [box for _, box in page.em_boxes()]
        assert min(box.x0 for box in boxes) >= 10
        assert max(box.x1 for box in boxes) <= width - 10
        assert max(box.y1 for box in boxes) <= height - 20  # above the markers
        assert min(box.y0 for box in boxes) > 53


def test_a_code_that_is_damaged_or_foreign_is_no_page() -> None:
    text = PAGE.to_text()
    for wrong in ("HTTPS://EXAMPLE.ORG", "", "AAAA", text[:-8], ("B" if text[0] != "B" else "C") + text[1:]):
        with pytest.raises(NotAPage):
            Page.from_text(wrong)
