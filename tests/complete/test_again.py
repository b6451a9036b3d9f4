"""Glyphs that failed a check are drawn in other ways, and the best of each is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fontgan.complete.again import DIRECTIONS, draw_again, shifted
from fontgan.complete.plan import plan_completion
from fontgan.complete.work import Work
from fontgan.evaluation.checks_file import CheckedGlyph, checked
from fontgan.generate.inference import load
from tests.helpers import BRUSH, SOURCE, part_of

HAS, LACKS = "的一是不了在人有我他这个们中来上大为和国", "永文字"


def test_what_is_moved_there_and_back_is_what_it_was() -> None:
    image = np.full((2, 9, 9), 255, np.uint8)
    image[:, 3:6, 2:7] = 0
    assert np.array_equal(shifted(shifted(image, 1, -2), -1, 2), image)
    assert (shifted(image, 3, 0)[:, :3] == 255).all()
    assert (shifted(image, 3, 0)[:, 6:9, 2:7] == 0).all()


def test_the_drawing_with_the_least_doubt_is_kept(tiny_run: Path, tmp_path: Path) -> None:
    target = part_of(BRUSH, HAS, tmp_path / "Brush.ttf")
    plan = plan_completion(str(target), str(SOURCE), HAS + LACKS)
    work = Work(tmp_path / "o.ttf", {}, tmp_path / "o.html", tmp_path / "work", plan.identity)
    work.glyphs.mkdir(parents=True)
    run, seen = load(tiny_run, device="cpu"), []

    def darker_is_better(chars: Sequence[str], inputs: np.ndarray, drawn: np.ndarray) -> list[CheckedGlyph]:
        assert len(inputs) == len(drawn)
        seen.append(drawn)
        sure = [1 - float(image.mean()) / 255 for image in drawn]
        return [checked(char, one, None, ["structure"]) for char, one in zip(chars, sure, strict=True)]

    inputs = run.inputs(plan.source, plan.lacking, "brush")
    before = run.stylise(inputs, "brush", view=run.view("brush", extent="canvas"))
    for char, image in zip(plan.lacking, before, strict=True):
        Image.fromarray(image).save(work.glyph(char))
    first = darker_is_better(plan.lacking, inputs, before)
    better = draw_again(plan, work, run, "brush", first, darker_is_better)
    ways = np.stack(seen)  # the first drawing, and each way of this run and of the checkpoint before
    assert len(ways) == 2 * len(DIRECTIONS)
    for number, (char, was) in enumerate(zip(plan.lacking, first, strict=True)):
        darkest = ways[ways[:, number].mean((1, 2)).argmin(), number]
        assert np.array_equal(np.asarray(Image.open(work.glyph(char))), darkest)
        assert (char in better) == (darkest.mean() < before[number].mean())
        assert better.get(char, was).doubt <= was.doubt


def test_what_passes_is_not_drawn_once_more(tiny_run: Path, tmp_path: Path) -> None:
    target = part_of(BRUSH, HAS, tmp_path / "Brush.ttf")
    plan = plan_completion(str(target), str(SOURCE), HAS + LACKS)
    work = Work(tmp_path / "o.ttf", {}, tmp_path / "o.html", tmp_path / "work", plan.identity)
    work.glyphs.mkdir(parents=True)
    asked: list[str] = []

    def all_but_the_first_pass(chars: Sequence[str], inputs: np.ndarray, drawn: np.ndarray) -> list[CheckedGlyph]:
        asked.append("".join(chars))
        return [checked(char, 0.4, None, ["structure"] if char == LACKS[0] else []) for char in chars]

    failed = [checked(char, 0.1, None, ["structure"]) for char in plan.lacking]
    better = draw_again(plan, work, load(tiny_run, device="cpu"), "brush", failed, all_but_the_first_pass)
    assert asked == [LACKS, *[LACKS[0]] * (2 * len(DIRECTIONS) - 2)]
    assert [char for char, one in better.items() if not one.flags] == list(LACKS[1:])
