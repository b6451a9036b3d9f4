"""Advice on what to draw next: planted components are found, and real fonts are covered better than by chance."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fontgan.advice.advise import advise
from fontgan.advice.coverage import Coverage
from fontgan.advice.parts import KINDS, describe
from fontgan.data import charset as charsets
from fontgan.data.frame import Frame
from fontgan.data.sources import open_glyphs
from fontgan.evaluation.checks_file import CheckedGlyph
from tests.helpers import KAI, SOURCE, Draw, box, make_font, part_of
from tests.report.test_proof import checks_file

SOME = "".join(open_glyphs(str(SOURCE)).coverage(charsets.resolve("gb2312-1")).present[::2])  # 500 of the bundled ones
N = 40
Refused = Callable[..., str]


def drawn_glyphs(chars: str) -> np.ndarray:
    source = open_glyphs(str(SOURCE))
    return np.stack([source.rasterize(char, Frame(60, 2, 2), 64) for char in chars])


# -- parts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "same", "other"),
    [
        ("left part", "语说话", "林"),
        ("right part", "别到刻", "林"),
        ("top part", "花英范", "想"),
        ("bottom part", "想感恩", "花"),
        ("frame", "国固因", "林"),
    ],
)
def test_a_shared_component_is_alike_and_another_one_is_not(kind, same, other):
    of_kind = describe(drawn_glyphs(same + other))[0][KINDS.index(kind)]
    cosines = of_kind @ of_kind[0]
    assert min(cosines[:3]) > 0.98
    assert cosines[3] < 0.97


def test_descriptors_of_blank_glyphs_are_zero():
    descriptors, clear = describe(np.full((1, 64, 64), 255, np.uint8))
    assert not descriptors.any()
    assert not clear.any()


# -- choosing -------------------------------------------------------------------------------


def beside(left: Draw, right: Draw) -> Draw:
    def draw(pen):
        left(pen)
        right(pen)

    return draw


def bars(x: int, count: int) -> Draw:
    """A ladder of so many bars, 350 units wide."""

    def draw(pen):
        for bar in range(count):
            box(x, 40 + bar * 800 // count, x + 350, 40 + bar * 800 // count + 60)(pen)

    return draw


def test_the_component_that_most_characters_wait_for_comes_first_and_is_named(tmp_path, here):
    """一丁七万丈 share their left part, 三上 another one; each has a right part of its own."""
    post = box(200, 0, 280, 850)
    ring = beside(box(60, 100, 420, 160), box(210, 160, 270, 700))
    glyphs: dict[str, Draw | None] = {char: beside(post, bars(560, k + 2)) for k, char in enumerate("一丁七万丈")}
    glyphs |= {char: beside(ring, bars(560, k + 8)) for k, char in enumerate("三上")}
    glyphs |= {"下": box(100, 300, 900, 360)}
    font = make_font(tmp_path / "a.ttf", glyphs)
    target = make_font(tmp_path / "b.ttf", {"下": box(100, 300, 900, 360)})
    result = here("advise", f"target={target}", f"source={font}", "charset=一丁七万丈三上下", "n=2")
    assert result.returncode == 0, result.stderr
    first, second = result.stdout.splitlines()
    assert first.split()[1] in "一丁七万丈"
    assert "left part of" in first
    assert "4 others wait" in first
    assert second.split()[1] in "三上"
    assert "1 other waits" in second


@pytest.fixture(scope="module")
def covered() -> tuple[list[str], list[str], list[str]]:
    """Drawn, lacking and advised of the bundled source font."""
    shuffled = random.Random(0).sample(SOME, len(SOME))
    drawn, lacking = shuffled[:100], sorted(shuffled[100:])
    return drawn, lacking, [each.char for each in advise(open_glyphs(str(SOURCE)), drawn, lacking, N, {})[0]]


def shares(covered: tuple[list[str], list[str], list[str]], choices: list[list[str]]) -> list[float]:
    """What choices cover by the advice's own measure."""
    drawn, lacking, _ = covered
    weights = np.array([0.0] * len(drawn) + [1.0] * len(lacking))
    coverage = Coverage([*drawn, *lacking], drawn_glyphs("".join([*drawn, *lacking])), weights)
    for index in range(len(drawn)):
        coverage.add(index)
    found, before = [], coverage.best.copy()
    for choice in choices:
        coverage.best = before.copy()
        for char in choice:
            coverage.add(len(drawn) + lacking.index(char))
        found.append(coverage.share)
    return found


def encoder_distances(drawn: list[str], lacking: list[str], choices: list[list[str]]) -> list[float]:
    """For each choice, how far glyphs still to be drawn lie from the nearest drawn one in the encoder's last map."""
    import torch
    from torch.nn import functional as F

    from fontgan.models.glyph_encoder import glyph_encoder

    chars = [*drawn, *lacking]
    with torch.inference_mode():
        ink = 1 - torch.from_numpy(drawn_glyphs("".join(chars))).float()[:, None] / 255
        maps = F.normalize(glyph_encoder().features(ink)[-1], dim=1).flatten(2)  # (N, C, places)
        cosines = torch.einsum("dcp,rcp->drp", maps, maps)  # place by place
    found = []
    for choice in choices:
        have = [place for place, char in enumerate(chars) if char in drawn or char in choice]
        rest = [place for place, char in enumerate(chars) if char in lacking and char not in choice]
        found.append(float((1 - cosines[have][:, rest].amax(0)).mean()))
    return found


def test_advised_characters_cover_more_than_random_ones_by_its_own_and_by_another_measure(covered):
    drawn, lacking, advised = covered
    assert len(set(advised)) == N
    assert set(advised) <= set(lacking)
    random_ones = [random.Random(seed).sample(lacking, N) for seed in range(5)]
    own, *chance = shares(covered, [advised, *random_ones])
    assert own > max(chance) + 0.03
    nothing, *left = encoder_distances(drawn, lacking, [[], advised, *random_ones])
    gained = [nothing - distance for distance in left]
    assert gained[0] > 1.15 * max(gained[1:])


@pytest.mark.slow
def test_the_order_is_the_greedy_one_and_the_same_again(covered):
    drawn, lacking, advised = covered
    again, before = advise(open_glyphs(str(SOURCE)), drawn, lacking, N, {})
    assert [each.char for each in again] == advised
    reached = [before, *(each.coverage for each in again)]
    steps = np.diff(reached)
    assert (steps[1:] <= steps[:-1] + 1e-6).all()  # each adds no more than the one before it
    (first,) = advise(open_glyphs(str(SOURCE)), drawn, lacking, 1, {})[0]
    alone = shares(covered, [[char] for char in lacking])
    assert first.char == lacking[int(np.argmax(alone))]


def test_doubtful_glyphs_raise_what_they_share_and_come_earlier(covered):
    drawn, lacking, advised = covered
    worst = [char for char in lacking if char not in advised][:10]
    checked = {char: CheckedGlyph(char, 0.1, 0.1, ("structure",), 1.0) for char in worst}
    with_checks = [each.char for each in advise(open_glyphs(str(SOURCE)), drawn, lacking, N, checked)[0]]
    assert with_checks != advised
    assert len(set(worst) & set(with_checks)) >= 5
    passed = {char: CheckedGlyph(char, 0.9, 0.9, (), 0.05) for char in worst}
    assert [each.char for each in advise(open_glyphs(str(SOURCE)), drawn, lacking, N, passed)[0]] == advised


# -- the command ----------------------------------------------------------------------------


def test_what_it_writes_can_be_read_as_a_charset(tmp_path, here):
    target = part_of(SOURCE, SOME[:60], tmp_path / "target.ttf")
    checks = checks_file(tmp_path / "checks.json", {SOME[100]: {"flags": ["illegible"], "doubt": 1.0}})
    out, picture = tmp_path / "advice.txt", tmp_path / "advice.png"
    result = here(
        "advise", f"target={target}", f"source={SOURCE}", f"charset={SOME[:120]}", "n=500", f"checks={checks}",
        f"out={out}", f"picture={picture}",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    chars = charsets.resolve(str(out))
    assert chars == [line.split()[1] for line in result.stdout.splitlines()]
    assert set(chars) == set(SOME[60:120])  # all there are, though more were asked for
    assert "100%" in result.stdout.splitlines()[-1]
    with Image.open(picture) as opened:
        assert opened.width > 1000
        assert len(set(opened.convert("L").tobytes())) > 50


def test_without_a_target_it_says_what_to_draw_first(tmp_path, here):
    out = tmp_path / "first.txt"
    first = here("advise", f"source={SOURCE}", f"charset={SOME[:120]}", "n=10", f"out={out}")
    assert first.returncode == 0, first.stderr
    assert "10 of 120 characters. Of all their parts, 0 % were covered before" in first.stderr
    chars = charsets.resolve(str(out))
    assert len(chars) == 10
    # Of a target that has one character of another script the same is said: nothing of it helps.
    target = make_font(tmp_path / "latin.ttf", {"é": box(0, 0, 500, 500)})
    other = here("advise", f"target={target}", f"source={SOURCE}", f"charset={SOME[:120]}", "n=10")
    assert other.stdout == first.stdout


def test_what_a_user_can_get_wrong_is_said_in_one_line(tmp_path, refused: Refused):
    target = part_of(SOURCE, SOME[:20], tmp_path / "target.ttf")
    given = ("advise", f"target={target}", f"source={SOURCE}")
    assert "has all 20 characters" in refused(*given, f"charset={SOME[:20]}")
    assert "has none of the" in refused(*given, "charset=greek", "n=2")
    assert "1 or more" in refused(*given, "n=0")
    assert "ends in .txt" in refused(*given, "out=advice.pdf")
    assert "ends in .png" in refused(*given, "picture=advice.txt")
    (tmp_path / "mine.txt").write_text("mine")
    assert "overwrite=true" in refused(*given, f"out={tmp_path / 'mine.txt'}")
    assert "its folder does not exist" in refused(*given, f"out={tmp_path / 'nowhere' / 'a.txt'}")
    assert "no such font file" in refused("advise", "target=nowhere.ttf", f"source={SOURCE}")
    assert "no checks that can be read" in refused(*given, f"checks={tmp_path / 'mine.txt'}")
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert "Add target=" in refused("advise", f"sources=[{SOURCE},{KAI}]")
    assert "Add target=" in refused("advise", f"source={SOURCE}", f"checks={tmp_path / 'mine.txt'}")


def test_a_target_of_other_characters_is_advised_from_nothing(tmp_path, here):
    target = make_font(tmp_path / "latin.ttf", {"é": box(0, 0, 500, 500)})
    result = here("advise", f"target={target}", f"source={SOURCE}", f"charset={SOME[:30]}", "n=3")
    assert result.returncode == 0, result.stderr
    assert "as if nothing were drawn" in result.stderr
