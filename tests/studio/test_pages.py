"""What the pages take in and show, without a browser."""

from __future__ import annotations

import html
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fontgan.complete.coverage import cover
from fontgan.complete.coverage_text import to_json
from fontgan.data.charset import resolve
from fontgan.studio.pages.start import sets_to_choose
from fontgan.studio.plot import HEIGHT, LINE, Scores, plot
from fontgan.studio.uploads import MAX_NAME, are_glyphs, safe_name
from fontgan.studio.words import SET_NAMES
from tests.helpers import BRUSH, XIAOWEI, box, make_font, part_of
from tests.studio.conftest import Studio

PAGES = ("/", "/hand", "/train", "/look", "/font", "/compare", "/commands")


def png(level: int = 0) -> bytes:
    image = Image.fromarray(np.full((64, 64), 255, np.uint8))
    image.paste(level, (20, 20, 44, 44))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize("page", PAGES)
def test_every_page_stands_before_anything_is_chosen(studio: Studio, page: str) -> None:
    answer = studio.get(page)
    assert answer.status == 200
    assert "</html>" in answer.text
    assert not studio.project.joinpath("project.json").exists(), "to look writes nothing"


def test_few_of_the_many_sets_are_offered_and_those_of_the_region_first(tmp_path: Path) -> None:
    names: dict[str, list[str]] = {}
    for font in (XIAOWEI, part_of(BRUSH, "ABCabc", tmp_path / "latin.ttf")):
        own, others = sets_to_choose(to_json(str(font), found := cover(str(font))))
        assert all(one["has"] for one in others)
        names[found.region.name] = [one["name"] for one in own]
        assert len(own) + len(others) < len(SET_NAMES) < 20
    assert set(names["simplified Chinese"]) == {"ascii", "gb2312-1", "gb2312", "tgh-1", "tgh"}
    assert set(names["Latin"]) == {"ascii", "latin1", "latin1+latin-ext-a"}
    assert sets_to_choose({}) == ([], [])  # nothing found out yet
    for name, said in SET_NAMES.items():
        if (told := re.match(r"the (\d,\d{3}) |jf 7000.* (\d,\d{3})", said)) is not None:
            assert len(resolve(name) or []) == int((told[1] or told[2]).replace(",", "")), name


def test_a_dropped_font_is_looked_at_and_its_choices_become_one_command(studio: Studio, tmp_path: Path) -> None:
    assert studio.post("/start/drop", files=[("My Brush (1).ttf", BRUSH.read_bytes())]).status == 303
    studio.wait(lambda: studio.jobs()[0]["ended"])
    first = studio.jobs()[0]
    assert first["command"] == ["coverage", "font=in/My-Brush-1.ttf", "out=coverage.json", "overwrite=true"]
    assert first["code"] == 0, first["log"]
    page = studio.get("/").text
    assert "1 095" in page.replace("\N{NARROW NO-BREAK SPACE}", " ")  # characters
    assert 'value="gb2312-1" checked' in page, "what fontgan complete would complete by itself"
    for job in range(1, 1 + len(studio.jobs())):
        studio.post(f"/commands/{job}/stop")  # the preview takes seconds, and is another test's
    chosen = {"charset": "own", "chars": "永 字", "family": "O'Hara \\ 永", "source": "shelf:kai", "text": "it's 永"}
    assert studio.post("/start/choose", chosen).status == 303
    asked = next(job["command"] for job in studio.jobs() if job["command"][0] == "complete")
    assert asked[:4] == ["complete", "target=in/My-Brush-1.ttf", "source=shelf:kai", "charset=wanted.txt"]
    assert (studio.project / "wanted.txt").read_text() == "永字"
    from fontgan.config.compose import compose_config

    composed = compose_config("complete", [word for word in asked[1:] if not word.startswith("target=")] + ["target=x"])
    assert composed.family == "O'Hara \\ 永", "what was typed reaches the command as it was typed"


def test_a_job_runs_to_its_end_and_shows_in_the_list(studio: Studio) -> None:
    studio.post("/start/drop", files=[("A.ttf", BRUSH.read_bytes())])
    studio.wait(lambda: studio.jobs()[0]["ended"])
    told = studio.get("/commands").text
    assert "fontgan coverage font=in/A.ttf out=coverage.json overwrite=true" in told
    assert "done" in told
    assert "100%  ascii" in studio.get("/commands/1").text
    assert studio.get("/commands/99").status == 404


def test_what_is_done_first_makes_the_folder_a_project(studio: Studio) -> None:
    assert studio.post("/hand/sheets", {"chars": "永字"}).status == 303
    studio.wait()
    assert (studio.project / "sheets.pdf").is_file()
    assert studio.get("/hand").status == 200
    (studio.project / "project.json").write_text("no JSON")
    damaged = studio.get("/hand")
    assert damaged.status == 500
    assert "project.json: cannot be read" in damaged.text


HOSTILE = [
    "<script>alert(1)</script>.ttf", "\" onload=\"alert(1).ttf", "../../../etc/cron.d/x.ttf", "..\\..\\x.ttf",
    "a\u202egnp.ttf", "{{ 7*7 }}.ttf", "${oc.env:HOME}.ttf", "target=x,y.ttf", "CON.ttf", "x" * 5000 + ".ttf", "é" * 300 + ".ttf",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_names(name: str) -> None:
    safe = safe_name(name)
    assert re.fullmatch(r"[\w.+-]+\.ttf", safe)
    assert len(safe) <= MAX_NAME + 11
    assert not safe.startswith(".")


def test_hostile_names_are_escaped_wherever_they_show(studio: Studio, tmp_path: Path) -> None:
    bad = "<img src=x onerror=alert(1)>"
    font = make_font(tmp_path / "bad.ttf", {"A": box(100, 0, 400, 700)}, family=bad)
    studio.post("/start/drop", files=[(f"{bad}.ttf", font.read_bytes())])
    studio.wait(lambda: studio.jobs()[0]["ended"])
    studio.post("/commands/2/stop")
    studio.post("/start/choose", {"charset": "ascii", "family": bad, "text": bad})
    for page in (*PAGES, "/commands/1"):
        text = studio.get(page).text
        assert "<img src=x" not in text
    assert html.escape(bad) in studio.get("/").text
    assert not [file for file in tmp_path.iterdir() if file.name not in ("bad.ttf", "project")]


def test_what_is_no_font_and_no_image_is_refused_in_a_line(studio: Studio) -> None:
    answer = studio.post("/start/drop", files=[("letter.docx", b"PK")])
    assert answer.status == 400
    assert "letter.docx: is neither a font nor an image" in answer.text
    assert studio.post("/start/drop").status == 400
    mixed = studio.post("/start/drop", files=[("a.ttf", b"x"), ("b.png", png())])
    assert "fonts and images at once" in mixed.text
    assert not studio.jobs()


def test_a_broken_font_is_refused_by_the_command_that_reads_it(studio: Studio) -> None:
    studio.post("/start/drop", files=[("broken.ttf", b"\x00\x01\x00\x00 no font")])
    studio.wait(lambda: studio.jobs()[0]["ended"])
    assert studio.jobs()[0]["code"] == 2
    assert "could not be done" in studio.get("/").text


def test_images_named_by_characters_are_glyphs_and_others_are_pages(studio: Studio) -> None:
    assert are_glyphs(["U+6C38.png", "字.png"])
    assert not are_glyphs(["IMG_0001.jpg", "IMG_0002.jpg"])
    studio.post("/start/drop", files=[("mine/U+6C38.png", png()), ("mine/字.png", png())])
    assert json.loads((studio.project / "project.json").read_text())["target"] == "in/glyphs"
    assert sorted(file.name for file in (studio.project / "in" / "glyphs").iterdir()) == ["U+6C38.png", "字.png"]


def test_outlines_that_are_not_made_yet_are_not_sent(studio: Studio) -> None:
    assert studio.get("/ufo").status == 404
    studio.post("/start/hand", {"charset": "gb2312-1"})
    (studio.project / "font" / "work" / "outlines.ufo").mkdir(parents=True)
    assert studio.get("/ufo").status == 404
    (studio.project / "font" / "work" / "outlines.ufo" / "metainfo.plist").touch()
    sent = zipfile.ZipFile(io.BytesIO(studio.get("/ufo").body))
    assert sent.namelist() == ["outlines.ufo/metainfo.plist"]


def test_ink_is_kept_as_strokes_and_as_an_image(studio: Studio) -> None:
    studio.post("/start/hand", {"charset": "gb2312-1", "family": "My Hand"})
    strokes = [{"points": [[0.2, 0.5, 0.5], [0.8, 0.5, 0.5]], "width": 0.06, "erase": False}]
    ink = json.dumps({"format": 1, "char": "一", "strokes": strokes}).encode()
    own = {"Origin": f"http://{studio.netloc}", "Content_Type": "application/json"}
    assert studio.get("/ink/hand/U+4E00").status == 404
    assert studio.ask("POST", "/ink/hand/U+4E00", ink, **own).status == 200
    assert studio.get("/ink/hand/U+4E00").body == ink
    drawn = np.asarray(Image.open(studio.project / "hand" / "U+4E00.png"))
    assert drawn.shape == (256, 256)
    assert drawn.min() < 20
    assert studio.ask("POST", "/ink/hand/U+4E01", ink, **own).status == 400, "strokes of another character"
    assert studio.ask("POST", "/ink/hand/U+4E00", b'{"format": 1, "strokes": NaN}', **own).status == 400
    assert studio.ask("POST", "/ink/elsewhere/U+4E00", ink, **own).status == 404
    # What is renamed or thrown out is kept.
    assert studio.post("/hand/U+4E00/change", {"do": "rename", "char": "二"}).status == 303
    assert (studio.project / "hand" / "U+4E8C.png").is_file()
    assert studio.post("/hand/U+4E8C/change", {"do": "throw"}).status == 303
    assert (studio.project / "thrown-out" / "U+4E8C.png").is_file()
    assert not list((studio.project / "hand").glob("U+*"))


def test_a_cell_is_cut_again_out_of_its_photograph(studio: Studio) -> None:
    studio.post("/start/hand", {"charset": "gb2312-1"})
    (studio.project / "hand-cells").mkdir()
    seen = np.full((256, 256), 230, np.uint8)
    seen[100:140, 60:200] = 120  # faint ink
    seen[20:30, 20:30] = 190  # dirt
    Image.fromarray(seen).save(studio.project / "hand-cells" / "U+4E00.png")
    cut = studio.project / "hand" / "U+4E00.png"

    def ink(**values: object) -> np.ndarray:
        assert studio.post("/hand/U+4E00/cut", values).status == 303
        return np.asarray(Image.open(cut)) < 128

    usual = ink()
    assert usual[100:140, 60:200].all()
    assert usual.sum() == 40 * 140
    assert ink(level=0.85).sum() == 40 * 140 + 100, "more counts as ink, the dirt too"
    assert (ink(right=0.125, down=-0.0625) == np.roll(usual, (-16, 32), axis=(0, 1))).all()
    assert abs(int(ink(scale=1.5).sum()) - 1.5**2 * 40 * 140) < 200
    assert studio.post("/hand/U+4E00/cut", {"level": "nan"}).status == 400
    assert studio.post("/hand/U+4E01/cut").status == 404


def test_every_setting_of_complete_is_offered_with_its_meaning_and_no_other_is_taken(studio: Studio) -> None:
    from fontgan.config.help import sections
    from fontgan.studio.pages.train import ELSEWHERE

    studio.post("/start/drop", files=[("A.ttf", BRUSH.read_bytes())])
    page = html.unescape(studio.get("/train").text)
    rows = [row for section in sections("complete", []) for row in section.rows if row.value is not None]
    assert len(rows) > 60
    for row in rows:
        assert (f'name="set:{row.key}"' in page) != (row.key in ELSEWHERE), row.key
        assert row.key in ELSEWHERE or row.meaning in page
    assert studio.post("/train/begin", {"set:trainer.nothing": "3"}).status == 400


def test_the_language_follows_the_browser_and_a_choice_wins(studio: Studio) -> None:
    assert 'lang="en"' in studio.get("/").text
    chinese = studio.get("/", Accept_Language="zh-CN,zh;q=0.9,en;q=0.8").text
    assert 'lang="zh-Hans"' in chinese
    assert "A new font" not in chinese
    answer = studio.post("/language", {"language": "ja", "back": "/train"})
    assert answer.headers["location"] == "/train"
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert 'lang="ja"' in studio.get("/", Accept_Language="zh-CN", Cookie=cookie).text
    assert studio.post("/language", {"language": "ja", "back": "//elsewhere.example"}).headers["location"] == "/"


def test_what_the_font_says_of_itself_becomes_settings_of_its_command(studio: Studio) -> None:
    studio.post("/start/hand", {"charset": "gb2312-1", "family": "My Hand"})
    assert 'name="licence"' in studio.get("/font").text
    said = {"version": "1.2", "designer": "O'Hara", "copyright": "© 2026 O'Hara", "licence": "OFL"}
    assert studio.post("/font/build", said | {"family": "My Hand"}).status == 303
    asked = next(job["command"] for job in studio.jobs() if job["command"][0] == "complete")
    from fontgan.config.compose import compose_config

    composed = compose_config("complete", asked[1:])
    assert {key: composed[key] for key in said} == said
    page = html.unescape(studio.get("/font").text)
    assert all(f'value="{value}"' in page for value in said.values())


def test_of_anothers_font_copyright_and_licence_stay(studio: Studio) -> None:
    studio.post("/start/drop", files=[("A.ttf", BRUSH.read_bytes())])
    page = studio.get("/font").text
    assert 'name="designer"' in page
    assert 'name="licence"' not in page
    assert "Copyright and licence stay" in page


def test_an_empty_hand_begins_with_the_characters_of_the_pages_language(studio: Studio) -> None:
    for language, charset in [("zh-TW", "big5-1"), ("ja", "kana+jis-1"), ("zh-CN", "gb2312-1")]:
        page = studio.get("/", Accept_Language=language).text
        assert re.findall(r'<option value="(\S+)" selected>', page)[0] == charset
    studio.post("/start/hand", {"charset": "gb2312-1", "family": ""})
    assert "<h1>A new font</h1>" in studio.get("/").text


@pytest.mark.parametrize("blank", [0.59, 0.62, 0.63, 0.66])
def test_the_numbers_of_the_plot_do_not_lie_upon_each_other(blank: float) -> None:
    drawn = plot(
        Scores([(100, {"ssim": 0.5}), (200, {"ssim": 0.63})], {"blank_page": {"ssim": blank}}),
        lambda said, **values: said % values,
    )
    (level,) = re.findall(r'<text x="\d+" y="([\d.]+)">a blank page', drawn)
    (now,) = re.findall(r'<text class="now" x="\d+" y="([\d.]+)">', drawn)
    assert abs(float(level) - float(now)) >= LINE
    assert 0 < float(level) < HEIGHT


def test_a_damaged_project_is_told_in_a_line_and_stays(tmp_path: Path) -> None:
    from tests.helpers import error_line, fontgan

    (tmp_path / "project.json").write_text('{"format": 1, "target": 3}')
    told = error_line(fontgan("studio", str(tmp_path), "open=false", "port=0"))
    assert "project.json: cannot be read (target: " in told
    assert json.loads((tmp_path / "project.json").read_text())["target"] == 3


@pytest.mark.parametrize(
    ("licence", "asked"),
    [
        ('Copyright 2020, with Reserved Font Name "Stone".', 'name="family"[^>]* required'),
        ("You may not modify this font.", 'name="owned"[^>]* required'),
        ("This Font Software is licensed under the SIL Open Font License.", ""),
    ],
)
def test_the_licence_speaks_before_anything_is_trained(
    studio: Studio, tmp_path: Path, licence: str, asked: str
) -> None:
    from fontTools.ttLib import TTFont

    made = make_font(tmp_path / "stone.ttf", {"A": box(100, 0, 400, 700)}, family="Stone Sans")
    font = TTFont(made)
    font["name"].setName(licence, 13, 3, 1, 0x409)
    font.save(made)
    studio.post("/start/drop", files=[("stone.ttf", made.read_bytes())])
    studio.wait(lambda: studio.jobs()[0]["ended"])
    studio.post("/commands/2/stop")
    page = studio.get("/").text
    assert html.escape(licence, quote=False)[:30] in html.unescape(page)
    assert ("Read this first" in page) == bool(asked)
    assert len(re.findall(r'name="(?:family|owned)"[^>]* required', page)) == bool(asked)
    assert not asked or re.search(asked, page)


@pytest.mark.parametrize(
    "text",
    ["it's", "a\\", "\\", "\\'", "a\\\\'b\\", "'", "永 字", "[a, b]", "{a: 1}", "1", "null", "a=b", "$x", "%(x)s"],
)
def test_a_text_reaches_a_command_as_it_was_typed(text: str) -> None:
    from fontgan.config.compose import compose_config
    from fontgan.studio.commands import quoted

    assert compose_config("complete", ["target=x", f"family={quoted(text)}"]).family == text
