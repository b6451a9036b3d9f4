"""What fontgan is for, once and small: draw glyphs of a font, train, save, resume, draw with the base model, trace, build.

Everything is made in a temporary folder, with the very functions that the verbs call.
"""

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from fontgan.doctor.computing import Question
from fontgan.doctor.rows import Wrong

SECTION = "self-test"
PARTS = ("render", "train", "resume", "draw", "trace", "build")
NEEDS = {"resume": "train", "trace": "draw", "build": "trace"}
SIZE = 64
CHARS = "的一是不了在人有我他这个们中来上大为和国地到"
DRAWN = "永字八法"
SETTINGS = (
    "experiment=scratch", "data=sample", "data.targets={kai: asset:LXGWWenKai.ttf}", f"data.charset={CHARS}",
    f"data.size={SIZE}", "data.margin=0", "data.holdout=0", "data.workers=1", "generator.ngf=8", "generator.depth=4",
    "trainer.batch_size=8",
)  # fmt: skip
STEPS, MORE = 12, 2
PROGRESS = 0.5  # as if half of the training were done: the discriminator is at work
CLOSE = 0.02  # of a loss: on a GPU a resumed training is not the same to the bit


def self_test(*, folder: str, device: str, precision: str, announce: Callable[[str, str], None]) -> Iterator[Question]:
    """Its parts in turn; one that another needs and that failed is told in its place."""
    test, started = SelfTest(Path(folder), device, precision), time.monotonic()
    for name in PARTS:
        yield Question(SECTION, name, partial(test.do, name), must_work=True)
    yield Question(SECTION, "in all", lambda: f"{time.monotonic() - started:.1f} s")


class SelfTest:
    """Each part returns what it did, and raises where that is not what it should be."""

    def __init__(self, folder: Path, device: str, precision: str):
        self.folder, self.device, self.precision = folder, device, precision
        self.done: set[str] = set()
        self.trained: Any = None  # state of the training, once there is one

    def do(self, part: str) -> str:
        """Raises: whatever the part raises."""
        if (before := NEEDS.get(part, part)) != part and before not in self.done:
            raise Wrong(f"not tried, since {before} failed")
        from fontgan.runtime.log_setup import quiet

        started = time.monotonic()
        with quiet("fontgan"):
            said = getattr(self, part)()
        self.done.add(part)
        return f"{time.monotonic() - started:.1f} s: {said}"

    def render(self) -> str:
        from fontgan.data.frame import Frame
        from fontgan.data.sources import open_glyphs

        font = open_glyphs("asset:LXGWWenKai.ttf")
        _check_ink([font.rasterize(char, Frame(SIZE, 0, 0), SIZE) for char in CHARS])
        return f"{len(CHARS)} glyphs of a bundled font at {SIZE} px"

    def train(self) -> str:
        self.trained = self._begin()
        losses = [_step(self.trained, index) for index in (*range(STEPS - 1), 0)]  # the first batch comes once more
        if not all(map(math.isfinite, losses)):
            raise Wrong(f"a loss of {STEPS} steps is not finite")
        if not losses[-1] < losses[0]:
            raise Wrong(f"the loss did not fall in {STEPS} steps: {losses[0]:.3f}, {losses[-1]:.3f}")
        return f"the loss of {STEPS} steps fell from {losses[0]:.3f} to {losses[-1]:.3f}"

    def resume(self) -> str:
        import torch

        from fontgan.training.checkpoint import newest_intact

        self.trained.step = STEPS
        self.trained.save()
        saved = newest_intact(self.trained.run)
        assert saved is not None
        on = [_step(self.trained, STEPS + more) for more in range(MORE)]
        again = self._begin()
        again.resume(saved)
        resumed = [_step(again, STEPS + more) for more in range(MORE)]
        pairs = zip(_weights(self.trained), _weights(again), strict=True)
        if all(torch.equal(one, other) for one, other in pairs):
            return f"{MORE} further steps of a saved and resumed training are the same to the bit"
        apart = max(abs(one - other) / abs(one) for one, other in zip(on, resumed, strict=True))
        if self.trained.device.type == "cpu" or not apart < CLOSE:
            raise Wrong(f"{MORE} further steps of a resumed training differ, their losses by {apart:.2%}")
        return f"losses of {MORE} further steps of a resumed training agree to {apart:.2%}"

    def draw(self) -> str:
        import numpy as np
        from PIL import Image

        from fontgan.base import FOLDER
        from fontgan.data.image_source import name_from_char
        from fontgan.data.sources import open_glyphs
        from fontgan.generate.inference import load

        run = load(FOLDER, device=self.device, precision=self.precision)
        run.drawn_from = run.drawn_from._replace(guides=[])  # to open them takes longer than all else
        font, style = open_glyphs("asset:NotoSansSC-Regular.ttf"), run.styles[0]
        inputs = run.with_guides(run.source_pixels(font, DRAWN, style), np.empty(0), [None] * len(DRAWN), style)
        drawn = run.stylise(inputs, style)
        _check_ink(drawn)
        images = self.folder / "drawn"
        images.mkdir()
        for char, image in zip(DRAWN, drawn, strict=True):
            Image.fromarray(image).save(images / f"{name_from_char(char)}.png")
        return f"{len(DRAWN)} glyphs by the base model at {run.size} px"

    def trace(self) -> str:
        from fontgan.fontfile.layout import Layout
        from fontgan.fontfile.vectorize import vectorize_folder

        self.glyphs, unreadable = vectorize_folder(self.folder / "drawn", chars=None, layout=Layout(), workers=1)
        if unreadable or len(self.glyphs) != len(DRAWN):
            raise Wrong(f"{len(self.glyphs)} of {len(DRAWN)} drawn glyphs have an outline")
        return f"their outlines, {sum(len(glyph.outline.calls) for glyph in self.glyphs)} segments"

    def build(self) -> str:
        from fontTools.ttLib import TTFont

        from fontgan.fontfile.create import create_font

        file = self.folder / "doctor.ttf"
        create_font(self.glyphs, file, family="Doctor")
        with TTFont(file) as font:
            lacking = set(map(ord, DRAWN)) - set(font.getBestCmap())
        if lacking:
            raise Wrong(f"the font lacks {len(lacking)} of {len(DRAWN)} glyphs")
        return f"a font of them, {file.stat().st_size} bytes"

    def _begin(self) -> Any:
        """The state of a training that has not begun."""
        from omegaconf import OmegaConf

        from fontgan.build import build_parts
        from fontgan.config.compose import compose_config
        from fontgan.run_folder import run_metadata
        from fontgan.runtime.device import pick_device, pick_precision
        from fontgan.training.state import TrainingState

        run = self.folder / "run"
        cfg = compose_config("train", [*SETTINGS, f"out={run}", f"trainer.precision={self.precision}"])
        device = pick_device(self.device)
        precision = pick_precision(self.precision, device)
        cfg.trainer.compile = False  # which would take longer than all else
        pack, step, sampler = build_parts(cfg, device, precision)
        metadata = run_metadata(pack, None, device, precision)
        return TrainingState(
            run, step, sampler, device=device, metadata=metadata, config_yaml=OmegaConf.to_yaml(cfg, resolve=True)
        )


def _step(state: Any, index: int) -> float:
    """Trains on a batch. Returns: the sum of the generator's losses."""
    losses = state.train_step([state.sampler.batch(index)], progress=PROGRESS, step=index)
    return sum(float(loss) for name, loss in losses.items() if not name.startswith("d_"))


def _weights(state: Any) -> list[Any]:
    return list(state.train_step.generator.state_dict().values())


def _check_ink(images: Any) -> None:
    """Raises: Wrong unless each image, 0 ink .. 255 paper, has some ink and some paper."""
    import numpy as np

    shares = [1 - float(np.mean(image)) / 255 for image in images]
    if not all(0.005 < share < 0.7 for share in shares):
        raise Wrong(f"glyphs have {min(shares):.1%} to {max(shares):.1%} of ink")
