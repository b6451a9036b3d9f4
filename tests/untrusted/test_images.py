"""Hostile and broken images: the right glyph or one line, within bounds of time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from fontgan.data.frame import Frame
from fontgan.data.image_source import MANIFEST, CellFinder, FolderGlyphs, image_files, resample
from fontgan.data.reading import ImageReader
from fontgan.errors import DataError
from fontgan.fontfile.metrics import choose_layout
from fontgan.handwriting.pictures import find_pictures, read_picture
from fontgan.untrusted.images import FORMATS, GLYPH, header_size, read_bytes
from tests.helpers import Here, fontgan

from . import images
from .reading import MAX_MIB

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_every_file_of_the_corpus_gives_its_glyph_or_one_line(tmp_path: Path) -> None:
    """In a process of its own, whose time, memory and end are watched."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.untrusted", "reading", "--json", str(tmp_path / "verdicts.json")],
        cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=280,
    )  # fmt: skip
    assert result.returncode == 0, f"{result.stdout}\nthe last file: {result.stderr.splitlines()[-1:]}"
    verdicts = json.loads((tmp_path / "verdicts.json").read_text())
    counts = Counter(verdict["outcome"] for verdict in verdicts)
    assert counts["right"] > 600
    assert counts["read"] > 800
    assert counts["refused"] > 2000
    kinds = {verdict["case"].rpartition(": ")[0] for verdict in verdicts if not verdict["case"].startswith("scan: ")}
    assert len(kinds) == len(images.GROUPS) + 1  # and the floods
    assert all(verdict["said"].isprintable() for verdict in verdicts)
    assert max(verdict["mib"] for verdict in verdicts) < MAX_MIB


def test_the_corpus_has_every_format_that_is_read() -> None:
    Image.init()
    read = {Image.EXTENSION[f".{ending}"] for ending in map(images.ending_of, images.WHOLE)}
    assert read == set(FORMATS)
    assert set(FORMATS) <= set(Image.OPEN) or not features.check("avif")


# -- names ------------------------------------------------------------------------------------

GA = "が"
NAMES: dict[bytes, str | None] = {
    b"U+4E00.png": "一",
    "二.png".encode(): "二",
    unicodedata.normalize("NFD", GA).encode() + b".png": GA,
    "😀.png".encode(): "😀",
    b'".png': '"',
    b"'.PNG": "'",
    b"\\.png": "\\",
    b"-.png": "-",
    b"$.png": "$",
    b"<.png": "<",
    b"--help.png": None,
    b"$(touch pwned).png": None,
    b"`id`.png": None,
    b"<script>alert(1)</script>".replace(b"/", b"\\") + b".png": None,
    b"a\\..\\..\\etc\\passwd.png": None,
    b"two\nlines.png": None,
    b"\n.png": None,
    b"\x1b[31mred\x07.png": None,
    b"\xff\xfe.png": None,
    b"\xff.png": None,
    "\u202egnp.exe\u202c.png".encode(): None,
    "\u200f.png".encode(): None,
    "a\u2028b.png".encode(): None,
    "\ud7ff.png".encode(): None,
    b"a" * 251 + b".png": None,
    b"%s%n.png": None,
    b"{0}.png": None,
    b"${oc.env:HOME}.png": None,
}
DOUBLES = (b"u+4e00.png", b"U+4E00.PNG", b"4E00.png", GA.encode() + b".png", b"uni4e00.png")


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A folder of hostile names, all of them the same true glyph."""
    folder = tmp_path / "named"
    folder.mkdir()
    data = images.WHOLE["png"]()
    for name in [*NAMES, *DOUBLES]:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(data)
    return folder


def test_names_stand_for_their_characters_or_are_named(named: Path) -> None:
    glyphs = FolderGlyphs(named)
    assert set(glyphs.files) == {char for char in NAMES.values() if char}
    for char in glyphs.files:
        assert np.array_equal(glyphs.rasterize(char, Frame(images.SIDE), images.SIDE), images.glyph())
    text = "\n".join(finding.message for finding in glyphs.diagnostics)
    assert f"{sum(char is None for char in NAMES.values())} file names stand for no character" in text
    assert f"{len(DOUBLES)} files repeat a character" in text


def test_hostile_names_are_printed_in_harmless_lines(named: Path, tmp_path: Path) -> None:
    """In a real process whose output takes ASCII alone, and where files are asked for by their names."""
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(
        [sys.executable, "-m", "fontgan", "check", "data=folder", f"data.source={named}", f"data.targets={{it: {named}}}"],
        cwd=tmp_path, capture_output=True, env=environment, timeout=240,
    )  # fmt: skip
    said = (result.stdout + result.stderr).decode("ascii")
    assert result.returncode in (0, 1), said
    assert "Traceback" not in said
    assert "Logging error" not in said
    assert all(line.isprintable() for line in said.split("\n")), said
    assert "stand for no character" in said
    assert not (tmp_path / "pwned").exists()


def test_a_folder_of_a_hostile_name_is_read_and_named(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n\x1b[2J"))
    folder.mkdir()
    (folder / "xx.png").write_bytes(b"")
    with pytest.raises(DataError, match="none named after a character") as refusal:
        FolderGlyphs(folder)
    assert str(refusal.value).isprintable()
    (folder / "一.png").write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty") as refusal:
        ImageReader().read(folder / "一.png")
    assert str(refusal.value).isprintable()


# -- what is no file --------------------------------------------------------------------------


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """Two glyphs and a link to one outside, among what only looks like files."""
    folder, outside = tmp_path / "strange", tmp_path / "outside.png"
    folder.mkdir()
    outside.write_bytes(images.WHOLE["png"]())
    (folder / "一.png").write_bytes(images.WHOLE["png"]())
    (folder / "二.png").write_bytes(images.WHOLE["bmp"]())
    (folder / "三.png").symlink_to(outside)
    os.mkfifo(folder / "丁.png")
    (folder / "七.png").mkdir()
    (folder / "万.png").symlink_to(folder / "丈.png")
    (folder / "丈.png").symlink_to(folder / "万.png")
    (folder / "上.png").symlink_to("/nowhere")
    (folder / "下.png").symlink_to("/dev/zero")
    (folder / "不.png").symlink_to("/proc/self/environ")  # a regular file by its kind
    return folder


def test_pipes_devices_links_and_folders_are_named_and_never_waited_for(strange: Path, here: Here) -> None:
    glyphs = FolderGlyphs(strange)
    coverage = glyphs.coverage(None)
    assert sorted(coverage.present) == sorted("一二三")
    assert coverage.left_out == {"unreadable": ["不"]}
    text = "\n".join(map(str, coverage.diagnostics))
    assert "6 are named as images but are no files" in text
    assert all(f"{char}.png" in text for char in "丁七万丈上下不")
    result = here(
        "check", "data=folder", f"data.source={strange}", f"data.targets={{it: {strange}}}", "allow=[alike,few]"
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr


def test_a_pipe_or_a_device_in_place_of_a_file_is_refused_at_once(strange: Path) -> None:
    for name, said in (("丁", "no regular file"), ("下", "no regular file"), ("不", "the file is empty"), ("七", "")):
        with pytest.raises(DataError, match=f"{name}.png: not an image that can be read .*{said}"):
            ImageReader().read(strange / f"{name}.png")
    with pytest.raises(DataError, match="no regular file"):
        next(read_picture(strange / "丁.png"))
    assert sorted(file.stem for file in find_pictures(str(strange))) == sorted("一二三不")


@contextmanager
def nobody() -> Iterator[None]:
    """Without root's right to read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_files_that_may_not_be_read_are_named(tmp_path: Path) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:3]):  # three where several processes test
        folder.chmod(0o755)
    (tmp_path / "closed").mkdir()
    for place in (tmp_path / "一.png", tmp_path / "closed" / "x.png"):
        place.write_bytes(images.WHOLE["png"]())
    (tmp_path / "二.png").symlink_to(tmp_path / "closed" / "x.png")
    (tmp_path / "一.png").chmod(0)
    (tmp_path / "closed").chmod(0)
    with nobody():
        coverage = FolderGlyphs(tmp_path).coverage(None)
    (tmp_path / "closed").chmod(0o755)
    assert coverage.left_out == {"unreadable": ["一"]}
    text = "\n".join(map(str, coverage.diagnostics))
    assert "一.png: not an image that can be read (Permission denied)" in text
    assert "1 are named as images but are no files, and are left out: 二.png" in text


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "一.png"
    with file.open("wb") as stream:
        stream.truncate(40 * 2**30)  # a hole: nothing on the disk
    for read in (lambda: ImageReader().read(file), lambda: next(read_picture(file)), lambda: header_size(file, GLYPH)):
        with pytest.raises(DataError, match=r"40960 MiB; \d+ are read at most"):
            read()
    with pytest.raises(ValueError, match="are read at most"):
        read_bytes(file, 100)


# -- what the commands make of it -------------------------------------------------------------


@pytest.fixture(scope="module")
def worst(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of each kind of the corpus in one folder."""
    folder = tmp_path_factory.mktemp("worst")
    number = 0
    for make in images.GROUPS.values():
        for case in list(make())[::29][:12]:
            (folder / f"U+{0x4E00 + number:04X}.{case.ending}").write_bytes(case.data)
            number += 1
    return folder


def harmless(said: str) -> None:
    assert "Traceback" not in said, said
    assert "Warning:" not in said, said
    assert "Logging error" not in said, said


def test_check_names_what_it_leaves_out(worst: Path, here: Here) -> None:
    what = ["data=folder", f"data.source={worst}", f"data.targets={{it: {worst}}}", "data.size=64"]
    result = here("check", *what, "allow=[unreadable,alike]")
    assert result.returncode == 0, result.stderr
    harmless(result.stderr)
    glyphs = FolderGlyphs(worst)
    coverage = glyphs.coverage(None)
    assert len(coverage.present) > 15
    for char in coverage.left_out["unreadable"]:
        assert f"{glyphs.files[char]}: not an image that can be read (" in result.stderr


def test_infer_draws_the_rest(worst: Path, tiny_run: Path, tmp_path: Path, here: Here) -> None:
    result = here(
        "infer", f"checkpoint={tiny_run}", f"input={worst}", f"out={tmp_path / 'out'}", "style=kai", "device=cpu"
    )
    assert result.returncode == 1
    harmless(result.stderr)
    read = FolderGlyphs(worst).coverage(None)
    unescape = len(read.present) + len(read.left_out.get("empty", []))
    assert len(image_files(tmp_path / "out")) == unescape
    assert (
        f"{len(image_files(worst)) - unescape} of {len(image_files(worst))} images could not be read" in result.stderr
    )


def test_vectorize_names_what_it_leaves_out(worst: Path, tmp_path: Path, here: Here) -> None:
    coverage = FolderGlyphs(worst).coverage(None)
    for char in [*coverage.present[:3], *coverage.left_out["unreadable"][::6]]:
        file = FolderGlyphs(worst).files[char]
        (tmp_path / file.name).write_bytes(file.read_bytes())
    result = here("vectorize", f"input={tmp_path}", f"out={tmp_path / 'drawn.ufo'}", "workers=1")
    harmless(result.stderr)
    assert "not an image that can be read" in result.stderr


def test_pillows_warnings_do_not_leak(tmp_path: Path) -> None:
    """Between Pillow's two limits it warns; broken EXIF data make it warn too."""
    file = tmp_path / "U+4E00.png"
    file.write_bytes(images.saved(Image.new("1", (10_000, 10_000)), "PNG"))
    result = fontgan("check", "data=folder", f"data.source={tmp_path}", f"data.targets={{it: {tmp_path}}}")
    harmless(result.stderr)
    assert "10000x10000 pixels; 4096 a side are read at most). Scale it down." in result.stderr


def test_no_other_format_is_even_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ghostscript above all."""
    Image.init()
    tried = []

    def trap(*_: object) -> None:
        tried.append(1)
        raise AssertionError("a format that is not to be read was opened")

    for name, (_, accept) in list(Image.OPEN.items()):
        if name not in FORMATS:
            monkeypatch.setitem(Image.OPEN, name, (trap, accept))
    file = tmp_path / "一.eps"
    for case in [*images.no_images(), *images.every_format()]:
        file.write_bytes(case.data)
        for read in (lambda: ImageReader().read(file), lambda: list(read_picture(file))):
            try:
                read()
            except DataError:
                continue
    assert not tried


def test_an_old_pillow_without_a_format_still_reads_the_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Image.init()
    monkeypatch.delitem(Image.OPEN, "AVIF", raising=False)
    (tmp_path / "一.png").write_bytes(images.WHOLE["png"]())
    assert np.array_equal(ImageReader().read(tmp_path / "一.png")[0], images.glyph())
    (tmp_path / "一.png").write_bytes(images.WHOLE["avif"]())
    with pytest.raises(DataError, match="of no known format"):
        ImageReader().read(tmp_path / "一.png")


# -- frames -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame", [Frame(1e-9), Frame(1e-3), Frame(1.0, 1e12), Frame(1.0, 0.0, -1e9), Frame(float("nan")), Frame(1e-320), Frame(1.0, float("inf"))],
    ids=str,
)  # fmt: skip
def test_resampling_takes_bounded_memory(frame: Frame) -> None:
    with pytest.raises(DataError, match=r"would lie on .* of paper"):
        resample(np.zeros((64, 64), np.uint8), frame, 64)


@pytest.mark.parametrize(
    "frame", [Frame(100.0), Frame(5000.0), Frame(0.01), Frame(1.0, 500.0), Frame(1.0, -500.0)], ids=str
)
def test_far_frames_show_ink_or_paper(frame: Frame) -> None:
    drawn = resample(np.zeros((64, 64), np.uint8), frame, 64)
    assert drawn.shape == (64, 64)
    assert (drawn.max() == 0) == (frame.scale > 1)  # all ink, or paper as well


MANIFESTS: dict[str, object] = {
    "list": [], "no size": {"cell_to_canvas": {"scale": 1, "dx": 0, "dy": 0}}, "text": "x", "number": 1, "null": None,
    **{
        f"size {size!r}": {"size": size, "cell_to_canvas": {"scale": 50, "dx": 0, "dy": 0}}
        for size in (0, -1, 1.5, "64", True, None, [64], 10**9, 10**400, float("nan"), float("inf"))
    },
    **{
        f"{key} {value!r}": {"size": 64, "cell_to_canvas": {"scale": 50, "dx": 0, "dy": 0} | {key: value}}
        for key in ("scale", "dx", "dy")
        for value in (float("nan"), float("inf"), 1e300, -1e300, 10**400, "1", None, True, [], {})
    },
    **{f"scale {value!r}": {"size": 64, "cell_to_canvas": {"scale": value, "dx": 0, "dy": 0}} for value in (0, -1, 1e-9, 1e-3, 1e5)},
}  # fmt: skip


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_of_nonsense_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps(MANIFESTS[name]))
    with pytest.raises(DataError, match="not a manifest of fontgan") as refusal:
        CellFinder(tmp_path)
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"1" * 100_000, b"\0" * 50]
)
def test_manifests_that_are_no_json_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(DataError, match="not a manifest of fontgan"):
        CellFinder(tmp_path)


UNITS: list[dict[str, object]] = [
    {"to_cell": 1}, {"to_cell": [1]}, {"font": [1]}, {"font": "x"}, {"font": {"to_cell": "x"}}, {"to_cell": {"units_per_em": 1000}},
    *({"to_cell": {"units_per_em": em, "baseline": 880}} for em in (0, 1, -1000, 1e9, float("nan"), "1000", True, None)),
    *({"to_cell": {"units_per_em": 1000, "baseline": at}} for at in (1e9, float("nan"), float("inf"), "880", None)),
    *({"advances": {"一": width}} for width in (-1, 1e9, float("nan"), float("inf"), "1000", None, True)),
    {"advances": {"two": 1000}}, {"advances": [1000]}, {"advances": "一"}, {"advances": {"": 5}},
]  # fmt: skip


@pytest.mark.parametrize("said", UNITS, ids=str)
def test_units_that_no_font_has_are_refused(said: dict[str, object], tmp_path: Path) -> None:
    good = {"to_cell": {"units_per_em": 1000, "baseline": 880}, "advances": {"一": 1000}}
    (tmp_path / MANIFEST).write_text(json.dumps(good))
    assert choose_layout(tmp_path).advances == {"一": 1000}
    (tmp_path / MANIFEST).write_text(json.dumps(good | said))
    with pytest.raises(DataError, match=MANIFEST):
        choose_layout(tmp_path)
