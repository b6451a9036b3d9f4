"""Two records of the same thing: the first difference, to the bit or within what another CPU's rounding may move."""

from __future__ import annotations

from typing import NamedTuple

from .outputs import Part, Record


class Tolerance(NamedTuple):
    """How far a number may be from the one it was: absolute, and as a share of it."""

    absolute: float
    relative: float


EXACT = "exact"
CLOSE = "close"

# By the beginning of a record's name; the first that fits holds.  With SSE4 in the place of AVX2 in all libraries nothing
# moved by more than a quarter of this, and most by less than a hundredth.
TOLERANCES = {
    "train/": Tolerance(1e-4, 1e-3),  # weights and metrics
    "pack": Tolerance(1e-3, 1e-3),  # mean grey of a glyph
    "images/": Tolerance(2, 0),  # grey levels, of 255
    "outlines/": Tolerance(3, 0.01),  # units, of 1000 to the em
    "fonts/": Tolerance(3, 0.01),
}


def tolerance(name: str) -> Tolerance:
    return next(found for start, found in TOLERANCES.items() if name.startswith(start))


def difference(name: str, golden: Record, found: Record, how: str) -> str:
    """Says where two records first differ; empty where they do not.

    Args:
        name: of the record, ``train/best/generator``.
        how: EXACT compares sums, CLOSE numbers.
    """
    labels = [[one["label"] for one in record] for record in (golden, found)]
    if labels[0] != labels[1]:
        return f"{name}: {_first_label(*labels)}"
    for index, (old, new) in enumerate(zip(golden, found, strict=True)):
        said = _sums_differ(old, new) if how == EXACT else _numbers_differ(old, new, tolerance(name))
        if said:
            note = f" ({new['note']})" if new.get("note") else ""
            return f"{name}[{index}], {new['label']}: {said}{note}"
    return ""


def _first_label(golden: list[str], found: list[str]) -> str:
    for index in range(max(len(golden), len(found))):
        old, new = (side[index] if index < len(side) else "nothing" for side in (golden, found))
        if old != new:
            return f"part {index} is {new}, and was {old}"
    raise AssertionError("equal lists")


def _sums_differ(golden: Part, found: Part) -> str:
    if golden["sum"] == found["sum"]:
        return ""
    far = _farthest(golden, found)
    return f"sha256 {found['sum']}, and was {golden['sum']}; numbers moved by up to {far:.3g}"


def _numbers_differ(golden: Part, found: Part, allowed: Tolerance) -> str:
    old, new = (list(map(float, one["numbers"])) for one in (golden, found))
    if len(old) != len(new):
        return f"{len(new)} numbers, and were {len(old)}"
    for index, (a, b) in enumerate(zip(old, new, strict=True)):
        same = a == b or (a != a and b != b)
        if not same and not abs(a - b) <= allowed.absolute + allowed.relative * abs(a):
            return f"number {index} is {b:.6g}, and was {a:.6g}"
    return ""


def _farthest(golden: Part, found: Part) -> float:
    pairs = zip(golden["numbers"], found["numbers"], strict=False)
    return max((abs(float(a) - float(b)) for a, b in pairs), default=0.0)
