"""How sure ``keepable`` is: ``python -m fontgan.metrics.calibrate_keepable`` plants errors into true glyphs and counts.

Errors are planted at 256 px, and seen at the size asked for.  A gap and a bridge are planted only where they part ink
or paper of some size, so that one in a corner, which nobody sees, is none.
"""

import argparse
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage

from fontgan.data.frame import Frame
from fontgan.data.sources import asset, open_glyphs
from fontgan.metrics.keepable import EIGHT, keepable
from fontgan.metrics.structure import skeleton
from fontgan.runtime.progress import Bar
from fontgan.runtime.subsample import subsample_evenly

FINE = 256  # px, where errors are planted
TRIES = 60  # places for a gap or a bridge
SIZEABLE = 0.03**2  # of the em squared: smaller parts of ink and paper are crumbs
BICUBIC = Image.Resampling.BICUBIC


class Change(NamedTuple):
    """A change of a (256, 256) float glyph, 0 paper .. 1 ink, by some amount; None where there is no place for it."""

    plant: Callable[[np.ndarray, float, np.random.Generator], np.ndarray | None]
    errors: tuple[float, ...]  # amounts, of the em; of blur, pixels of 128 to the em
    harmless: tuple[float, ...] = ()
    says: str = "{:.1%}"


def main(arguments: list[str] | None = None) -> int:
    """Prints the table of ``docs/reference/metrics.md``."""
    parser = argparse.ArgumentParser(prog="python -m fontgan.metrics.calibrate_keepable", description=__doc__)
    parser.add_argument("--size", type=int, default=128, choices=(64, 128, 256), help="px at which glyphs are judged")
    parser.add_argument("--glyphs", type=int, default=24, help="of each font")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    fonts = sorted(file.stem for file in asset("LXGWWenKai.ttf").parent.glob("*.ttf"))
    found = {font: calibrate(font, options.size, options.glyphs, options.seed) for font in Bar(fonts, desc="fonts")}
    print(f"| planted | | {' | '.join(fonts)} |\n|---|---|{'---|' * len(fonts)}")
    for row in next(iter(found.values())):
        print(f"| {' | '.join([*row, *(shares[row] for shares in found.values())])} |")
    return 0


def calibrate(font: str, size: int, glyphs: int, seed: int) -> dict[tuple[str, str], str]:
    """(what is planted, how much) -> the share of a bundled font's glyphs that is not kept then."""
    source = open_glyphs(f"asset:{font}.ttf")
    chars = subsample_evenly(source.coverage(None).present, glyphs)
    drawn = np.stack([1 - source.rasterize(char, Frame(FINE), FINE) / 255 for char in chars])
    shares = {}
    for kind, change in CHANGES.items():
        for amount in (*change.harmless, *change.errors):
            result = keepable(*planted(change, amount, drawn, size, seed))
            named = change.says.format(amount) + (", harmless" if amount in change.harmless else "")
            shares[kind, named] = f"{1 - result.kept.mean():.0%}" if len(result.kept) else "-"
    return shares


def planted(change: Change, amount: float, drawn: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Those of the glyphs that have a place for it, changed and true: twice (N, size, size) uint8."""
    random = np.random.default_rng(seed)
    changed = [(change.plant(glyph, amount, random), glyph) for glyph in drawn]
    pairs = [(seen(made, size), seen(true, size)) for made, true in changed if made is not None]
    both = np.array(pairs, np.uint8).reshape(-1, 2, size, size)
    return both[:, 0], both[:, 1]


def seen(glyph: np.ndarray, size: int) -> np.ndarray:
    """(256, 256) float ink -> (size, size) uint8, 0 ink .. 255 paper, each pixel the mean of what it covers."""
    block = FINE // size
    return np.rint(255 * (1 - glyph.reshape(size, block, size, block).mean(axis=(1, 3)))).astype(np.uint8)


# -- what is planted ------------------------------------------------------------------------


def shifted(glyph: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray:
    """Moved in any direction."""
    angle = random.uniform(0, 2 * math.pi)
    return ndimage.shift(glyph, (amount * FINE * math.sin(angle), amount * FINE * math.cos(angle)), order=1)


def bolder(glyph: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray:
    """Every stroke wider by this much, or thinner below 0: each edge moves by half of it."""
    large = np.asarray(Image.fromarray(glyph.astype(np.float32)).resize((4 * FINE, 4 * FINE), BICUBIC)) > 0.5
    depth = ndimage.distance_transform_edt(large) - ndimage.distance_transform_edt(~large)
    return (depth > -2 * FINE * amount).reshape(FINE, 4, FINE, 4).mean(axis=(1, 3))


def blurred(glyph: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray:
    return ndimage.gaussian_filter(glyph, amount * FINE / 128)


def without_part(glyph: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray | None:
    """One of its components erased."""
    labels, count = ndimage.label(glyph > 0.1, EIGHT)
    large = [part for part in range(1, count + 1) if (labels == part).sum() > (0.03 * FINE) ** 2]
    return glyph * (labels != random.choice(large)) if len(large) > 1 else None


def with_end_cut(glyph: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray | None:
    """A stroke's end erased, as far as the circle reaches."""
    line = skeleton(seen(glyph, FINE))
    ends = np.argwhere(line & (ndimage.convolve(line.astype(int), EIGHT.astype(int)) == 2))
    if not len(ends):
        return None
    end = random.choice(ends)
    labels, _ = ndimage.label((glyph > 0) & (_away(end) < amount * FINE), EIGHT)
    return _without_crumbs(np.where(labels == labels[tuple(end)], 0.0, glyph))


def with_stroke(glyph: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray | None:
    """A stroke of this length added in free paper, 3 % from other ink, as thick as the others are."""
    room = ndimage.distance_transform_edt(glyph < 0.1)
    inside = ndimage.distance_transform_edt(glyph > 0.5)
    if not inside.any():
        return None
    radius = min(float(np.median(inside[skeleton(seen(glyph, FINE))])), amount * FINE / 2)
    places = np.argwhere(room > radius + 0.03 * FINE)
    for _ in range(TRIES if len(places) else 0):
        angle, length = random.uniform(0, math.pi), amount * FINE - 2 * radius
        along = np.array([math.sin(angle), math.cos(angle)])
        stroke = _line(random.choice(places), along, length, 2 * radius, round_ends=True)
        if room[stroke > 0].min() > 0.03 * FINE:
            return np.maximum(glyph, stroke)
    return None


def with_gap(glyph: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray | None:
    """A gap of this width across a stroke."""
    inside, nearest = ndimage.distance_transform_edt(glyph > 0.5, return_indices=True)
    places = np.argwhere(skeleton(seen(glyph, FINE)))
    for _ in range(TRIES if len(places) else 0):
        place = random.choice(places)
        radius = inside[tuple(place)]
        across = (nearest[(slice(None), *place)] - place) / radius
        gap = _line(place, across, 2.6 * radius + 4, amount * FINE)
        changed = np.minimum(glyph, 1 - gap)
        if _topology(changed) != _topology(glyph):
            return changed
    return None


def with_bridge(glyph: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray | None:
    """A bridge of this width between two strokes 2 to 12 % apart."""
    outside, nearest = ndimage.distance_transform_edt(glyph <= 0.5, return_indices=True)
    middle = skeleton(seen(1 - glyph, FINE)) & (outside > 0.01 * FINE) & (outside < 0.06 * FINE)
    places = np.argwhere(middle)
    for _ in range(TRIES if len(places) else 0):
        place = random.choice(places)
        away = outside[tuple(place)]
        along = (nearest[(slice(None), *place)] - place) / away
        bridge = _line(place, along, 2 * away + 6, amount * FINE)
        changed = np.maximum(glyph, bridge)
        if _topology(changed) != _topology(glyph):
            return changed
    return None


def resampled(glyph: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray:
    """Brought to this part of 128 px, off their grid, and back."""
    side = round(128 * amount)
    box = (0.4, 0.3, FINE + 0.4, FINE + 0.3)
    small = Image.fromarray(np.pad(glyph, (0, 1)).astype(np.float32)).resize((side, side), BICUBIC, box=box)
    return np.clip(np.asarray(small.resize((FINE, FINE), BICUBIC)), 0, 1)


CHANGES = {
    "resampled": Change(resampled, (), (0.75, 1.0), "at {:.0%} of 128 px"),
    "moved": Change(shifted, (0.01, 0.02, 0.03), (0.005,)),
    "bolder": Change(bolder, (0.01, 0.02, 0.03), (0.005,)),
    "lighter": Change(lambda glyph, amount, random: bolder(glyph, -amount, random), (0.01, 0.02, 0.03), (0.005,)),
    "blurred": Change(blurred, (1.0, 2.0, 3.0), (0.5,), "{:g} px of 128"),
    "part lost": Change(without_part, (1.0,), says="whole"),
    "end cut off": Change(with_end_cut, (0.03, 0.06, 0.1)),
    "stroke added": Change(with_stroke, (0.02, 0.05, 0.1)),
    "gap": Change(with_gap, (0.005, 0.01, 0.02, 0.03)),
    "bridge": Change(with_bridge, (0.005, 0.01, 0.02, 0.03)),
}


def _away(place: np.ndarray) -> np.ndarray:
    rows, columns = np.ogrid[:FINE, :FINE]
    return np.hypot(rows - place[0], columns - place[1])


def _line(place: np.ndarray, along: np.ndarray, length: float, width: float, *, round_ends: bool = False) -> np.ndarray:
    """(256, 256) a straight stroke around a place, 0 to 1."""
    rows, columns = np.ogrid[:FINE, :FINE]
    y, x = rows - place[0], columns - place[1]
    far, aside = np.abs(y * along[0] + x * along[1]), np.abs(x * along[0] - y * along[1])
    beyond = np.maximum(far - length / 2, 0)
    if round_ends:
        return np.clip(width / 2 - np.hypot(beyond, aside) + 0.5, 0, 1)
    return np.clip(width / 2 - aside + 0.5, 0, 1) * np.clip(length / 2 - far + 0.5, 0, 1)


def _without_crumbs(glyph: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(glyph > 0, EIGHT)
    return glyph * (np.bincount(labels.ravel(), minlength=count + 1) >= SIZEABLE * FINE**2)[labels]


def _topology(glyph: np.ndarray) -> list[int]:
    """How many parts of ink and of paper there are."""
    labels = (ndimage.label(glyph > 0.5, EIGHT)[0], ndimage.label(glyph <= 0.5)[0])
    return [int((np.bincount(found.ravel())[1:] >= SIZEABLE * FINE**2).sum()) for found in labels]
