"""The schema of ``run.json``, what a checkpoint says of itself; a stranger may have written it."""

from typing import Annotated

from msgspec import Meta, Struct, field

from fontgan.data.frame import SIZES
from fontgan.data.manifest import Manifest, StyleName, check_names
from fontgan.runtime.checksums import FileSum
from fontgan.untrusted.plain_json import Count, FileName, Finite, Text

FORMAT = 3
MAX_STYLES = 100_000
ALWAYS_THERE = {"generator.safetensors", "config.yaml"}  # a base has no more, since nobody resumes it

Styles = Annotated[list[StyleName], Meta(min_length=1, max_length=MAX_STYLES)]


class Origin(Struct, frozen=True, forbid_unknown_fields=True):
    """The run that a training started from, and its styles."""

    checkpoint: Text
    styles: Styles

    def __post_init__(self) -> None:
        check_names("styles", self.styles)


class MonitorState(Struct, forbid_unknown_fields=True):
    """What the next answers of a ``fontgan.training.monitor.TrainingMonitor`` depend on."""

    usual: dict[str, tuple[Finite, Finite]] = {}  # running medians, and the highest that each has been
    lasting: dict[str, Count] = {}  # for how many steps in a row something has been wrong
    drew: dict[str, Count] = {}  # style -> the last step at which it was drawn
    said: list[str] = []  # what was found at the last evaluation


class Rollback(Struct, frozen=True, forbid_unknown_fields=True):
    """A divergence and the step that the training went back to."""

    step: Count
    back_to: Count
    reason: str = ""
    rate: Finite = 1


class RunJson(Struct, frozen=True, forbid_unknown_fields=True):
    """A checkpoint's description without its own sum."""

    format: int
    step: Count
    files: dict[FileName, FileSum]
    styles: Styles
    data: Manifest
    pack: Text
    minutes: Annotated[float, Meta(ge=0, le=1e12)]
    scores: dict[StyleName, dict[str, Finite]]  # means over held-out glyphs; {} where none are
    health: MonitorState = field(default_factory=MonitorState)
    rollbacks: list[Rollback] = []
    made_with: dict[str, Text] = {}
    init_from: Origin | None = None

    def __post_init__(self) -> None:
        check_names("styles", self.styles)
        check_names("scores", list(self.scores))
        if not all(-1 <= scores.get(name, 2) <= 1 for scores in self.scores.values() for name in ("ssim", "blank")):
            raise ValueError("scores need ssim and blank from -1 to 1")
        if self.data.size not in SIZES:
            raise ValueError(f"data.size is {self.data.size}, and one of {', '.join(map(str, SIZES))} is needed")
        if lacking := set(self.styles) - {style.name for style in self.data.styles}:
            raise ValueError(f"data.styles lacks {min(lacking)}")
        if lacking := ALWAYS_THERE - self.files.keys():
            raise ValueError(f"files lacks {min(lacking)}")
        if self.init_from and (unknown := set(self.init_from.styles) - set(self.styles)):
            raise ValueError(f"init_from.styles has {min(unknown)}, which styles lacks")
