"""How a run's styles lie on its canvas, and what they are drawn from."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from fontgan.data.frame import Frame
from fontgan.data.sources import Spec
from fontgan.errors import DataError


class RunInputs(NamedTuple):
    """What a run draws from, as its config names it."""

    source: Spec | None  # of the styles that have none of their own
    own: dict[str, Spec]  # style -> its own source
    guides: list[Spec]


class Placement(NamedTuple):
    """How a style or mixture lies on the canvas: own cells -> canvas pixels."""

    canvas: Frame  # of its glyphs
    inputs: tuple[Frame, ...]  # of its source and of each guide
    limits: tuple[float, ...]  # of each guide, see ``fontgan.data.unlike``
    preferred: tuple[int, ...]  # of each guide: which of its fonts

    def to_source(self, guide: int) -> Frame:
        """The own cell of a guide -> that of the source."""
        return self.inputs[1 + guide].compose(self.inputs[0].inverse())


def place(entries: Sequence[dict[str, Any]], weights: Sequence[float]) -> Placement:
    """The weighted mean of styles as a manifest has them; limits and preferred fonts are those of the style of most weight.

    Raises: DataError for weights so far beyond the styles that nothing would be left.
    """

    def mean(frames: Sequence[dict[str, float]]) -> Frame:
        parts = ("scale", "dx", "dy")
        scale, dx, dy = (sum(w * frame[part] for w, frame in zip(weights, frames, strict=True)) for part in parts)
        if not scale > 0:
            raise DataError("style: lies so far beyond the styles that its glyphs would have no size left.")
        return Frame(scale, dx, dy)

    inputs = zip(*(entry["inputs"] for entry in entries), strict=True)
    _, foremost = max(zip(weights, range(len(entries)), strict=True))
    limits = tuple(entries[foremost].get("limits", ()))
    preferred = tuple(entries[foremost].get("preferred", ())) or (0,) * len(limits)
    return Placement(mean([entry["canvas"] for entry in entries]), tuple(map(mean, inputs)), limits, preferred)
