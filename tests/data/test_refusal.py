"""What would make most of a result useless is refused, with the remedy, unless it is allowed by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fontgan.data.glyphs import Diagnostics
from fontgan.data.image_source import name_from_char
from fontgan.data.refusal import KINDS, judge, tell, tell_or_refuse
from fontgan.errors import DataError
from fontgan.generate.inference import Run
from tests.helpers import KAI, SOURCE, Here, box, error_line, make_font, part_of

HAN = "永国的一是不了在人有我他这个们中"
NOWHERE = "\U00020000\U00020001\U00020002"  # in none of the fonts
ROOT = Path(__file__).parents[2]


def spoiled(here: Here, kind: str, *command: str, code: int = 0) -> str:
    """Runs a command that must be refused, for one reason, and go on where that is allowed. Returns: its error."""
    line = error_line(here(*command))
    assert line.endswith(f"To go on all the same: allow=[{kind}]."), line
    others = [other for other in KINDS if other != kind]
    assert error_line(here(*command, f"allow=[{','.join(others)}]")) == line
    allowed = here(*command, f"allow=[{kind}]")
    assert allowed.returncode == code, allowed.stderr
    return line


def images(folder: Path, chars: str, *, blank: str = "", broken: str = "", nameless: int = 0) -> Path:
    """A folder of glyph images, a block each of its own place and size."""
    folder.mkdir()
    for index, char in enumerate(chars):
        pixels = np.full((64, 64), 255, np.uint8)
        if char not in blank:
            pixels[8 + index : 50, 8 : 56 - index] = 0
        file = folder / f"{name_from_char(char)}.png"
        Image.fromarray(pixels).save(file)
        if char in broken:
            file.write_bytes(file.read_bytes()[:60])
    for number in range(nameless):
        Image.new("L", (64, 64), number).save(folder / f"scan {number}.png")
    return folder


def test_more_than_half_is_the_rule() -> None:
    for count, of, refused in ((1, 2, False), (2, 3, True), (1, 1, True), (50, 100, False), (51, 100, True)):
        findings = Diagnostics()
        findings.tell("warning", "a.ttf", ["永"] * count, "glyphs are clipped", "Mend it.", kind="clipped", of=of)
        assert tell(findings, ["clipped"])
        assert tell(findings, ["blank"]) is not refused
        if refused:
            with pytest.raises(
                DataError, match=r"are clipped: 永.* Mend it\. To go on all the same: allow=\[clipped\]\.$"
            ):
                tell_or_refuse(findings)
            assert [found.level for found in judge(judge(findings, ["clipped"]), [])] == ["warning"]


def test_the_guide_says_of_every_kind_what_it_is() -> None:
    guide = (ROOT / "docs" / "guide" / "data.md").read_text()
    assert [kind for kind in KINDS if f"| `{kind}` |" not in guide] == []


@pytest.mark.parametrize("count", [1, 9, 10])
def test_fewer_than_ten_pairs_are_not_ready_to_train(count: int, here: Here, tmp_path: Path) -> None:
    target = part_of(KAI, HAN[:count], tmp_path / "hand.ttf")
    data = (
        "data=fonts",
        f"data.source={SOURCE}",
        f"data.targets={{hand: {target}}}",
        f"data.charset={HAN}",
        "data.size=64",
    )
    result = here("check", *data)
    assert f"style hand: has few pairs to train on ({count - (count > 1)})." in result.stderr
    assert ("10 characters that the source has too are the least" in result.stderr) is (count < 10)
    assert result.returncode == int(count < 10)
    assert ("ready to train" in result.stdout) is (count >= 10)
    if count < 10:
        line = error_line(here("train", "experiment=scratch", *data, f"out={tmp_path / 'run'}"))
        assert line.endswith("allow=[few].")
        assert not (tmp_path / "run").exists()
    allowed = here("check", *data, "allow=[few]")
    assert allowed.returncode == 0
    assert "1 warnings: ready to train." in allowed.stdout


def test_listed_characters_that_are_lacking(tiny_run: Path, here: Here, tmp_path: Path) -> None:
    render = ("render", f"font={KAI}", "size=64")
    line = spoiled(here, "lacking", *render, f"charset=永{NOWHERE}", f"out={tmp_path / 'a'}")
    assert "3 of the 4 characters asked for" in line
    (tmp_path / "list.txt").write_text(f"永{NOWHERE}")
    spoiled(here, "lacking", *render, f"charset={tmp_path / 'list.txt'}", f"out={tmp_path / 'b'}")
    infer = ("infer", f"checkpoint={tiny_run}", "style=kai", "device=cpu")
    spoiled(here, "lacking", *infer, f"text=永{NOWHERE}", f"out={tmp_path / 'c'}")
    spoiled(here, "lacking", *infer, f"charset=永{NOWHERE}", f"out={tmp_path / 'd'}")
    half = here(*infer, f"text=永国{NOWHERE[:2]}", f"out={tmp_path / 'e'}")
    assert half.returncode == 0, half.stderr
    few = make_font(tmp_path / "few.ttf", {"A": box(0, 0, 500, 700), "B": box(0, 0, 500, 600)})
    assert here("render", f"font={few}", "charset=ascii", "size=64", f"out={tmp_path / 'f'}").returncode == 0


def test_a_source_that_lacks_most_of_what_is_lacking(refused: Any, tmp_path: Path) -> None:
    target = part_of(KAI, HAN[:12], tmp_path / "mine.ttf")
    complete = ("complete", f"target={target}", f"source={SOURCE}", f"out={tmp_path / 'o.ttf'}")
    assert "lacks 3 of the 4 characters" in (line := refused(*complete, f"charset={HAN[:13]}{NOWHERE}"))
    assert line.endswith("allow=[lacking].")
    few = part_of(KAI, HAN[:9], tmp_path / "few.ttf")
    line = refused(*complete[:1], f"target={few}", *complete[2:], f"charset={HAN}")
    assert "has 9 characters in common" in line
    assert line.endswith("allow=[few].")
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".ttf"] == []


def test_glyphs_that_fit_no_canvas(here: Here, tmp_path: Path) -> None:
    wide = {char: box(-600 - place, -700, 1500, 1500 + place) for place, char in enumerate(HAN)}
    font = make_font(tmp_path / "wide.ttf", wide)
    spoiled(here, "clipped", "render", f"font={font}", "size=64", f"out={tmp_path / 'out'}")
    check = ("check", "data=fonts", f"data.source={font}", f"data.targets={{same: {font}}}")
    assert here(*check).returncode == 1
    assert here(*check, "allow=[clipped,alike]").returncode == 0  # of such glyphs a small picture is all ink


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        ("blank", {"blank": HAN[2:]}),
        ("unreadable", {"broken": HAN[2:]}),
        ("unnamed", {"nameless": len(HAN) + 1}),
    ],
)
def test_folders_most_of_whose_images_are_useless(kind: str, faults: Any, here: Here, tmp_path: Path) -> None:
    folder = images(tmp_path / "mine", HAN, **faults)
    lost = 1 if kind == "unreadable" else 0  # as for a single one
    spoiled(here, kind, "build-font", f"input={folder}", "family=A", f"out={tmp_path / 'a.ttf'}", code=lost)
    assert (tmp_path / "a.ttf").exists()
    spoiled(here, kind, "vectorize", f"input={folder}", f"out={tmp_path / 'a.ufo'}", code=lost)
    check = (
        "check",
        "data=folder",
        f"data.source={images(tmp_path / 'source', HAN)}",
        f"data.targets={{mine: {folder}}}",
    )
    assert here(*check, "allow=[few]").returncode == 1
    assert here(*check, f"allow=[few,{kind}]").returncode == 0
    less = images(tmp_path / "less", HAN, blank=HAN[:3], broken=HAN[3:5], nameless=4)
    result = here("build-font", f"input={less}", "family=A", f"out={tmp_path / 'less.ttf'}")
    assert result.returncode == 1  # two cannot be read; the rest is done
    assert (tmp_path / "less.ttf").exists()


def test_a_font_of_placeholders_and_one_of_another_size(here: Here, tmp_path: Path) -> None:
    same = make_font(tmp_path / "same.ttf", dict.fromkeys(HAN, box(100, 0, 800, 700)))
    tiny = make_font(tmp_path / "tiny.ttf", {char: box(400, 300, 550 + i, 450) for i, char in enumerate(HAN)})
    for kind, font in (("alike", same), ("odd_size", tiny)):
        check = ("check", "data=fonts", f"data.source={SOURCE}", f"data.targets={{hand: {font}}}")
        found = here(*check)
        assert found.returncode == 1
        assert f"allow=[{kind}]" in found.stderr
        assert "1 errors" in found.stdout
        assert here(*check, f"allow=[{kind}]").returncode == 0


def test_blank_results_are_kept_and_no_success(
    tiny_run: Path, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_nothing(self: Run, batches: Any, style: Any) -> Iterator[tuple[Any, np.ndarray]]:
        yield from ((tag, np.full_like(pixels[:, 0], 255)) for tag, pixels in batches)

    monkeypatch.setattr(Run, "draw_batches", draw_nothing)
    infer = ("infer", f"checkpoint={tiny_run}", "style=kai", "text=永国的", "device=cpu")
    result = here(*infer, f"out={tmp_path / 'a'}")
    assert result.returncode == 1
    assert "3 results are blank though their sources are not" in result.stderr
    assert len(list((tmp_path / "a").glob("U+*.png"))) == 3
    assert here(*infer, f"out={tmp_path / 'b'}", "allow=[blank]").returncode == 0


def test_images_to_draw_from_that_lie_otherwise(tiny_run: Path, here: Here, tmp_path: Path) -> None:
    font = make_font(tmp_path / "tiny.ttf", {char: box(400, 300, 550 + i, 450) for i, char in enumerate(HAN)})
    assert here("render", f"font={font}", "size=64", f"out={tmp_path / 'in'}").returncode == 0
    infer = ("infer", f"checkpoint={tiny_run}", "style=kai", f"input={tmp_path / 'in'}", "device=cpu", "allow=[blank]")
    result = here(*infer, f"out={tmp_path / 'out'}")
    assert result.returncode == 1
    assert "allow=[odd_size]" in result.stderr
    assert here(*infer[:-1], f"out={tmp_path / 'out'}", "allow=[odd_size,blank]").returncode == 0
