"""How a folder's names are read: hexadecimal, decimal or as characters, by all of them together."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from fontgan.data.charset_sets import NAMED
from fontgan.data.frame import Frame
from fontgan.data.image_source import FolderGlyphs
from fontgan.data.name_reading import CHAR, DECIMAL, HEX, choose_reading, names_read_as
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError
from tests.helpers import KAI, SOURCE, TINY, error_line, fontgan_here, reseal

HAN = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年"


def decimal(chars: Iterable[str]) -> list[str]:
    return [str(ord(char)) for char in chars]


def hexadecimal(chars: Iterable[str]) -> list[str]:
    return [f"{ord(char):04X}" for char in chars]


def draw(folder: Path, stems: dict[str, str]) -> Path:
    """A folder of glyphs of the kai, by the names that they get."""
    glyphs = open_glyphs(str(KAI))
    folder.mkdir()
    for stem, char in stems.items():
        Image.fromarray(glyphs.rasterize(char, Frame(64), 64)).save(folder / f"{stem}.png")
    return folder


@pytest.mark.parametrize(
    ("stems", "way"),
    [
        (decimal("中"), DECIMAL),
        (decimal("АБВабв"), DECIMAL),  # of four digits
        (decimal("αβγ"), HEX),  # of three, which are rather numbers of pages
        (decimal("αβγАБВабв"), DECIMAL),
        (decimal("가나다"), DECIMAL),
        (decimal("ABC中文字"), DECIMAL),
        (["128512"], DECIMAL),  # 😀, and beyond Unicode in hexadecimal
        (hexadecimal("䔀䔁䔂䔊䔋"), HEX),  # Extension A
        ([f"{code:X}" for code in range(0x20000, 0x20040)], HEX),  # Extension B
        (["5000", "6728", "7530"], HEX),
        ([f"{number:04}" for number in range(1, 120)], HEX),  # numbers of pages, most of which stand for no character
        ([f"{number:05}" for number in range(20000)], HEX),
        (["U+4E2D", "uni6587"], HEX),
        ([], HEX),
    ],
)
def test_the_names_of_a_folder_decide_together(stems: list[str], way: str) -> None:
    assert choose_reading(Path("glyphs"), stems) == way


SHORT = ("ascii", "latin1", "latin-ext-a", "latin-ext-b", "greek")  # of two or three decimal digits
BOTH = ("vietnamese", "latin-ext-additional")  # in decimal as 7840, which is 础 in hexadecimal


@pytest.mark.parametrize("name", [name for name in NAMED if name not in SHORT])
def test_every_named_set_is_read_as_it_was_written(name: str) -> None:
    chars = NAMED[name]()
    source = chars if name in BOTH else ""
    assert choose_reading(Path("glyphs"), hexadecimal(chars), source) == HEX
    assert choose_reading(Path("glyphs"), decimal(chars), source) == DECIMAL


def test_the_source_goes_before_the_usual_characters() -> None:
    stems = ["20013", "20018"]  # 中 and 串, or two of Extension B
    assert choose_reading(Path("glyphs"), stems, "中串") == DECIMAL
    assert choose_reading(Path("glyphs"), stems, "\U00020013\U00020018") == HEX


def test_a_tie_is_an_error_that_says_how_to_choose(tmp_path: Path) -> None:
    folder = draw(tmp_path / "mine", {"8220": "一"})  # 舠 or “, both of them usual
    said = error_line(fontgan_here("coverage", f"font={folder}"))
    assert "data.names=hex|decimal|char" in said
    assert "舠 (hex) or “ (decimal)" in said
    for way, char in (("hex", "舠"), ("decimal", "“")):
        out = tmp_path / f"{way}.json"
        assert fontgan_here("coverage", f"font={folder}", f"names={way}", f"out={out}").returncode == 0
        assert json.loads(out.read_text(encoding="utf-8"))["characters"] == char
    assert "none named after a character" in error_line(fontgan_here("coverage", f"font={folder}", "names=char"))
    with pytest.raises(DataError, match=r"data\.names"):
        open_glyphs(str(folder))
    assert list(FolderGlyphs(folder, "“").files) == ["“"]


def test_what_is_asked_for_holds_as_long_as_it_is_asked() -> None:
    with names_read_as(CHAR), names_read_as("auto"):
        assert choose_reading(Path("glyphs"), decimal(HAN)) == CHAR
    assert choose_reading(Path("glyphs"), decimal(HAN)) == DECIMAL


def test_a_folder_named_in_decimal_trains_on_its_characters(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = draw(tmp_path / "mine", dict(zip(decimal(HAN), HAN, strict=True)))
    other = draw(tmp_path / "other", dict(zip(hexadecimal(HAN), HAN, strict=True)))
    with caplog.at_level(logging.INFO, "fontgan"):
        assert set(FolderGlyphs(folder).files) == set(HAN) == set(FolderGlyphs(other).files)
    assert [record for record in caplog.messages if "decimal" in record] == [
        f"{folder}: names of digits alone are read as decimal: 19968 is 一; names=hex reads them otherwise"
    ]
    data = ("data=folder", f"data.source={SOURCE}", f"data.targets={{mine: {folder}}}", *TINY)
    run = tmp_path / "run"
    trained = fontgan_here("train", *data, f"out={run}", "data.names=decimal")
    assert trained.returncode == 0, trained.stderr
    assert "names: decimal" in next(run.glob("checkpoints/*/config.yaml")).read_text(encoding="utf-8")
    facts = json.loads(next(run.glob("checkpoints/*/run.json")).read_text(encoding="utf-8"))["data"]
    assert set(facts["trained"]) | set(facts["held_out"]) == set(HAN)
    assert fontgan_here("check", *data[:3], "data.names=hex").returncode != 0  # no character that the source has

    # A config of before there was a choice is as one that leaves it to the names.
    old = shutil.copytree(run, tmp_path / "old")
    for file in old.glob("checkpoints/*/config.yaml"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("  names: decimal\n", ""), encoding="utf-8")
        reseal(file.parent)
    drawn = fontgan_here("infer", f"checkpoint={old}", "text=中国", f"out={tmp_path / 'drawn'}", "allow=[blank]")
    assert drawn.returncode == 0, drawn.stderr


def test_evaluate_pairs_folders_that_are_named_otherwise(tmp_path: Path) -> None:
    drawn = draw(tmp_path / "drawn", dict(zip(decimal(HAN), HAN, strict=True)))
    true = draw(tmp_path / "true", dict(zip(hexadecimal(HAN), HAN, strict=True)))
    out = tmp_path / "measured.json"
    done = fontgan_here("evaluate", f"pred={drawn}", f"truth={true}", "ocr=none", "replicates=5", f"out={out}")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(out.read_text(encoding="utf-8"))["glyphs"]) == len(HAN)
