"""What a designer would keep: planted errors of every kind are found in every bundled font, harmless changes are not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from fontgan.data.frame import Frame
from fontgan.data.sources import open_glyphs
from fontgan.metrics import calibrate_keepable
from fontgan.metrics.calibrate_keepable import CHANGES, FINE, planted
from fontgan.metrics.keepable import REASONS, keepable
from tests.helpers import FONTS, KAI, SOURCE, combinations

BUNDLED = sorted(file.stem for file in FONTS.glob("*.ttf"))
CHARS = "永国的意书A"
HARMLESS = [(kind, amount) for kind, change in CHANGES.items() for amount in change.harmless]
# The least of each error that has to be found, and the words of which one has to be said.
ERRORS = {
    "moved": (0.03, "contour"),
    "bolder": (0.05, "contour"),
    "lighter": (0.05, "lost contour"),
    "part lost": (1.0, "lost"),
    "end cut off": (0.1, "lost"),
    "stroke added": (0.05, "added"),
    "gap": (0.02, "broken"),
    "bridge": (0.02, "joined added"),
}


@cache
def ink(font: str) -> np.ndarray:
    """(N, 256, 256) 0 paper .. 1 ink, in the font's own cell."""
    source = open_glyphs(str(FONTS / f"{font}.ttf"))
    return np.stack([1 - source.rasterize(char, Frame(FINE), FINE) / 255 for char in CHARS])


def drawn(font: str, size: int = 128) -> np.ndarray:
    source = open_glyphs(str(FONTS / f"{font}.ttf"))
    return np.stack([source.rasterize(char, Frame(size), size) for char in CHARS])


def test_the_bundled_fonts_are_found() -> None:
    assert len(BUNDLED) == 4
    assert len(HARMLESS) == 6
    assert set(ERRORS) <= set(CHANGES)


@pytest.mark.parametrize(("font", "kind"), combinations(BUNDLED, list(ERRORS)))
def test_a_planted_error_is_found(font: str, kind: str) -> None:
    amount, words = ERRORS[kind]
    found = keepable(*planted(CHANGES[kind], amount, ink(font), 128, seed=1))
    assert len(found.kept) >= 3
    assert found.kept.sum() <= 1, found.why
    named = [why for why in found.why if set(words.split()) & set(why.split())]
    assert len(named) >= len(found.why) - 1, found.why


@pytest.mark.parametrize(("font", "change"), combinations(BUNDLED, HARMLESS))
def test_what_is_harmless_is_kept(font: str, change: tuple[str, float]) -> None:
    found = keepable(*planted(CHANGES[change[0]], change[1], ink(font), 128, seed=1))
    assert found.kept.all(), found.why
    assert found.why == [""] * len(CHARS)
    assert found.contour_within.min() >= 0.95


@pytest.mark.parametrize("size", [64, 96, 128, 256, 512])
def test_a_glyph_keeps_itself_and_no_other_style_at_any_size(size: int) -> None:
    kai, sans = (drawn(font.stem, size) for font in (KAI, SOURCE))
    assert keepable(kai, kai).kept.all()
    assert keepable(kai, kai).contour_within.tolist() == [1] * len(CHARS)
    assert not keepable(kai, sans).kept.any()


def test_the_em_sets_the_scale() -> None:
    """On a canvas with margins the same glyphs are judged alike, once it is told how large their em is."""
    true = drawn(KAI.stem)
    made = np.roll(true, 3, axis=2)  # 2.3 % of an em of 128 px, 1.2 % of one of 256
    assert not keepable(made, true).kept.any()
    assert keepable(made, true, em_px=256).contour_within.min() == 1
    assert keepable(made, true, within=0.03).contour_within.min() > 0.99
    each = keepable(made, true, em_px=np.array([128.0, 256.0] * 3))
    assert (each.contour_within == 1).tolist() == [False, True] * 3


@pytest.mark.parametrize("size", [128, 256, 512])
def test_a_hair_in_the_true_glyph_may_be_there_or_not(size: int) -> None:
    """Two strokes that touch by a hair, or all but touch: a designer keeps them joined, and apart."""
    fine = np.ones((1024, 1024))
    fine[200:800, 200:300] = fine[200:800, 400:500] = 0
    hair, cut = fine.copy(), fine.copy()
    hair[500:508, 300:400] = 0  # 0.8 % of the em
    cut[496:504, 200:300] = 1
    apart, touching, parted = (
        np.rint(255 * glyph.reshape(1, size, 1024 // size, size, -1).mean(axis=(2, 4))).astype(np.uint8)
        for glyph in (fine, hair, cut)
    )
    assert keepable(apart, touching).kept.all()
    assert keepable(apart, parted).kept.all()
    for wide in (20, 40):  # 2 and 4 %
        bridge, gap = fine.copy(), fine.copy()
        bridge[500 : 500 + wide, 300:400] = 0
        gap[500 : 500 + wide, 200:300] = 1
        for glyph, made, true in ((bridge, "joined", "broken"), (gap, "broken", "joined")):
            other = np.rint(255 * glyph.reshape(1, size, 1024 // size, size, -1).mean(axis=(2, 4))).astype(np.uint8)
            assert made in keepable(other, apart).why[0]
            assert true in keepable(apart, other).why[0]


def test_grey_ink_is_lost() -> None:
    true = drawn(KAI.stem)
    grey = (255 - 0.45 * (255 - true.astype(float))).astype(np.uint8)
    assert all({"lost", "contour"} <= set(why.split()) for why in keepable(grey, true).why)


def test_empty_and_full_glyphs() -> None:
    blank, full = np.full((2, 64, 64), 255, np.uint8), np.zeros((2, 64, 64), np.uint8)
    true = drawn(KAI.stem, 64)[:2]
    assert keepable(blank, blank).kept.all()
    assert keepable(full, full).kept.all()
    for made, expected in ((blank, true), (true, blank), (blank, full), (full, blank), (full, true)):
        found = keepable(made, expected)
        assert not found.kept.any()
        assert all(set(why.split()) <= set(REASONS) for why in found.why)
        assert np.isfinite(found.contour_within).all()
    for made, expected, word in ((blank, true, "lost"), (true, blank, "added")):
        assert all({word, "contour"} <= set(why.split()) for why in keepable(made, expected).why)
    none = keepable(blank[:0], blank[:0])
    assert none.kept.shape == none.contour_within.shape == (0,)
    assert none.why == []


@pytest.mark.parametrize(
    ("made", "true"),
    [
        (np.zeros((2, 64, 64), np.uint8), np.zeros((3, 64, 64), np.uint8)),
        (np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)),
        (np.zeros((2, 64, 64), np.float32), np.zeros((2, 64, 64), np.float32)),
    ],
)
def test_arrays_that_are_not_alike_are_refused_in_one_line(made: np.ndarray, true: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^keepable: .*two uint8 arrays of the same shape \(N, H, W\) are needed\.$"):
        keepable(made, true)


def test_the_calibration_prints_its_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate_keepable, "CHANGES", {kind: CHANGES[kind] for kind in ("moved", "part lost")})
    assert calibrate_keepable.main(["--glyphs", "4", "--size", "64"]) == 0
    rows = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 2 + 4 + 1
    assert {len(row) for row in rows} == {2 + len(BUNDLED)}
    assert [cell.strip() for cell in rows[2]] == ["moved", "0.5%, harmless", *["0%"] * len(BUNDLED)]
