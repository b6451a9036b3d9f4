"""Where a run's artefacts come from: scores of its held-out glyphs, of plain inputs, of every stage of its decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fontgan.evaluation.glyph_set import GlyphSet, draw_pairs, held_out_pairs, pack_of
from fontgan.generate.inference import Run, load
from fontgan.metrics.artefacts import (
    MIN_MAP_PX,
    SCORES,
    mean_ink,
    nyquist_energy,
    peak_to_peak,
    phase_bias,
    phase_means,
    shift_difference,
)
from fontgan.models.predict import draw_glyphs
from fontgan.models.up import OutputHead, UpBlock
from fontgan.runtime.device import autocast
from fontgan.runtime.subsample import subsample_evenly
from fontgan.values import image_from_pixels, ink_from_image

FORMAT = 1
PARTS = ("resize", "norm", "fusion", "refine", "head")  # of an up-path block, in the order they work
DEAD = 1e-6  # of the liveliest channel's deviation: a channel with less carries nothing
WORST = 8  # glyphs


def glyphs_to_diagnose(run: Run, count: int) -> GlyphSet:
    """At most ``count`` held-out pairs of a run, from all its styles, drawn.

    Raises: RunError if nothing is held out, or the glyphs have changed since the training.
    """
    pack = pack_of(run)
    return draw_pairs(run, pack, subsample_evenly(held_out_pairs(run, pack), count))


def diagnose(
    checkpoint: Path,
    *,
    which: str = "best",
    glyphs: int = 96,
    batch_size: int = 32,
    device: str = "auto",
    precision: str = "fp32",
) -> tuple[dict[str, Any], GlyphSet]:
    """Measures the artefacts of a run.

    Args:
        glyphs: how many held-out pairs at most.
    Returns: what the JSON file holds (``scores``, ``smooth``, ``stages``, ``glyphs``), and the glyphs themselves.
    Raises: RunError if there is no usable checkpoint, its glyphs have changed, or nothing is held out.
    """
    run = load(checkpoint, which=which, batch_size=batch_size, device=device, precision=precision)
    drawn = glyphs_to_diagnose(run, glyphs)
    each = _each_glyph(run, drawn)
    on_glyphs, on_smooth = Probe(run.generator), Probe(run.generator)
    smooth = _smooth(run, on_smooth)
    with on_glyphs.listening():
        _draw(run, image_from_pixels(_known(drawn.source))[:, None], _weights(run, drawn))
    scores = {name: _summary(name, drawn, values) for name, values in each.items()}
    scores["checkerboard_phase"]["together"] = {
        kind: _together(images, drawn.truth) for kind, images in _kinds(drawn).items()
    }
    found = {
        "format": FORMAT,
        "checkpoint": str(run.checkpoint.folder),
        "step": run.checkpoint.step,
        "size": drawn.size,
        "count": len(drawn.names),
        "styles": drawn.styles,
        "scores": scores,
        "smooth": smooth,
        "stages": stages(on_glyphs, on_smooth, _ink(drawn.truth)),
        "glyphs": [
            {"style": style, "char": char, **{name: float(values["drawn"][row]) for name, values in each.items()}}
            for row, (style, char) in enumerate(drawn.names)
        ],
    }
    return found, drawn


# -- glyphs ---------------------------------------------------------------------------------


def _kinds(glyphs: GlyphSet) -> dict[str, np.ndarray]:
    """What is scored: the drawn glyphs, and as a measure of what wrong shapes alone give, their sources."""
    return {"drawn": glyphs.drawn, "copy_source": _known(glyphs.source)}


def _known(source: np.ndarray | None) -> np.ndarray:
    assert source is not None, "a run knows what it draws from"
    return source


def _each_glyph(run: Run, glyphs: GlyphSet) -> dict[str, dict[str, np.ndarray]]:
    """Score -> drawn, and copy_source where a copy can be scored -> (N,)."""
    truth, weights = _ink(glyphs.truth), _weights(run, glyphs)
    each = {}
    for name, score in SCORES.items():
        if score.measure is None:
            source = image_from_pixels(_known(glyphs.source))[:, None]
            each[name] = {"drawn": shift_difference(lambda moved: _draw(run, moved, weights), source, truth).numpy()}
        else:
            each[name] = {kind: score.measure(_ink(images), truth).numpy() for kind, images in _kinds(glyphs).items()}
    return each


def _ink(pixels: np.ndarray) -> Tensor:
    """(N, H, W) uint8 -> (N, 1, H, W), 0 paper .. 1 ink."""
    return ink_from_image(image_from_pixels(pixels))[:, None]


def _weights(run: Run, glyphs: GlyphSet) -> Tensor:
    return torch.cat([run.weights(style) for style, _ in glyphs.names])


def _draw(run: Run, source: Tensor, weights: Tensor) -> Tensor:
    """Source images -> ink."""
    images = draw_glyphs(
        run.generator, source, weights,
        device=run.device, autocast=autocast(run.device, run.precision), batch_size=run.batch_size,
    )  # fmt: skip
    return ink_from_image(images)


def _together(images: np.ndarray, truth: np.ndarray) -> float:
    """``checkerboard_phase`` of all glyphs as one: what a glyph alone shows by chance has averaged out."""
    ink, true = _ink(images), _ink(truth)
    return float(peak_to_peak(phase_means(ink - true).mean((0, 1))) / mean_ink(true).mean())


def _summary(name: str, glyphs: GlyphSet, values: dict[str, np.ndarray]) -> dict[str, Any]:
    drawn, copied = values["drawn"], values.get("copy_source")
    rows = {style: [row for row, pair in enumerate(glyphs.names) if pair[0] == style] for style in glyphs.styles}
    return {
        "title": SCORES[name].title,
        "unit": SCORES[name].unit,
        "how": SCORES[name].how,
        "mean": _mean_of_styles(drawn, rows),
        "copy_source": None if copied is None else _mean_of_styles(copied, rows),
        "styles": {style: float(drawn[there].mean()) for style, there in rows.items()},
        "worst": [
            {"style": glyphs.names[row][0], "char": glyphs.names[row][1], "value": float(drawn[row])}
            for row in np.argsort(-drawn, kind="stable")[:WORST]
        ],
    }


def _mean_of_styles(values: np.ndarray, rows: dict[str, list[int]]) -> float:
    return float(np.mean([values[there].mean() for there in rows.values()]))


# -- plain inputs ---------------------------------------------------------------------------


def smooth_inputs(size: int) -> dict[str, Tensor]:
    """Images without an edge, on which nothing that the grid shows can be a stroke: name -> (1, 1, size, size)."""
    ramp = torch.linspace(-1, 1, size)
    row, column = torch.meshgrid(ramp, ramp, indexing="ij")
    blobs = torch.stack(
        [torch.exp(-((row - y) ** 2 + (column - x) ** 2) / 0.08) for y, x in ((-0.4, -0.3), (0.1, 0.5), (0.5, -0.4))]
    )
    images = {
        "paper": torch.ones(size, size),
        "ink": -torch.ones(size, size),
        "mid_grey": torch.zeros(size, size),
        "slow_gradient": (row + column) / 2,
        "blurred_blobs": 1 - 2 * blobs.sum(0).clamp(0, 1),
    }
    return {name: image[None, None] for name, image in images.items()}


@torch.inference_mode()
def _smooth(run: Run, probe: Probe) -> dict[str, dict[str, float]]:
    """Input -> style -> phase bias of the logits, away from the border where padding shows."""
    inputs = smooth_inputs(run.size)
    found: dict[str, dict[str, float]] = {name: {} for name in inputs}
    border = run.size // 8 * 2
    for style in run.styles:
        images = torch.cat(list(inputs.values())).to(run.device).contiguous(memory_format=torch.channels_last)
        with probe.listening(), autocast(run.device, run.precision)():
            logits = run.generator(images, run.weights(style).expand(len(images), -1).to(run.device))
        for name, map_ in zip(inputs, logits, strict=True):
            found[name][style] = float(phase_bias(map_[None], border, tapered=True))
    return found


# -- the decoder's stages -------------------------------------------------------------------


class StageStatistics:
    """What there is to say about the maps of one stage, batch by batch. Maps of less than 8 px say nothing."""

    def __init__(self) -> None:
        self.side = 0
        self.count = 0
        self.sums: dict[str, Tensor] = {}

    def add(self, maps: Tensor) -> None:
        """(B, C, H, W)."""
        self.side = min(maps.shape[-2:])
        self.count += len(maps)
        maps = maps.detach().float()
        places = phase_means(maps, tapered=True)
        parts = {
            "places": places,
            "spread": peak_to_peak(places),
            "level": maps.abs().mean((-2, -1)),
            "mean": maps.mean((-2, -1)),
            "square": maps.square().mean((-2, -1)),
        }
        if self.side >= MIN_MAP_PX:
            parts["at"], parts["beside"] = nyquist_energy(maps)
        for name, part in parts.items():
            total = part.double().sum(0).cpu()
            self.sums[name] = self.sums[name] + total if name in self.sums else total

    def _mean(self, name: str) -> Tensor:
        return self.sums[name] / self.count

    def _alive(self) -> tuple[Tensor, Tensor]:
        """Standard deviation by channel, and which channels carry anything."""
        deviation = (self._mean("square") - self._mean("mean").square()).clamp_min(0).sqrt()
        return deviation, deviation > DEAD * deviation.max()

    @property
    def by_place(self) -> float | None:
        """Spread of the four places' means over all maps, in standard deviations of the channel, mean over channels."""
        deviation, alive = self._alive()
        if self.side < MIN_MAP_PX or not alive.any():
            return None
        return float((peak_to_peak(self._mean("places"))[alive] / deviation[alive]).mean())

    @property
    def by_frequency(self) -> float | None:
        """``nyquist_excess`` by channel, its mean over channels, octaves."""
        _, alive = self._alive()
        if self.side < MIN_MAP_PX or not alive.any():
            return None
        return float((self._mean("at") / self._mean("beside")).log2()[alive].mean())

    @property
    def on_its_own(self) -> float | None:
        """Spread of the four places' means in each map, over the maps' mean absolute value: for smooth inputs."""
        level = float(self._mean("level").mean())
        if self.side < MIN_MAP_PX or not level > 0:
            return None
        return float(self._mean("spread").mean()) / level


def _statistics_of(maps: Tensor) -> StageStatistics:
    statistics = StageStatistics()
    statistics.add(maps)
    return statistics


class Probe:
    """Listens to every stage of a generator's decoder, whatever blocks it is made of.

    ``statistics`` has the stages in the order they work: block -> part -> statistics, and under ``input`` what a resize that
    keeps the size was given.
    """

    def __init__(self, generator: nn.Module):
        self.blocks = [module for module in generator.modules() if isinstance(module, UpBlock | OutputHead)]
        self.statistics: dict[nn.Module, dict[str, StageStatistics]] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        handles = [
            getattr(block, part).register_forward_hook(self._hook(block, part))
            for block in self.blocks
            for part in PARTS
            if hasattr(block, part)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, block: nn.Module, part: str) -> Any:
        def hear(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            statistics = self.statistics.setdefault(block, {})
            if output is inputs[0]:
                return  # a part that is switched off, such as NoRefine
            if part == "resize" and inputs[0].shape[-2:] == output.shape[-2:]:
                statistics.setdefault("input", StageStatistics()).add(inputs[0])
            statistics.setdefault(part, StageStatistics()).add(output)

        return hear


def stages(on_glyphs: Probe, on_smooth: Probe, truth: Tensor) -> list[dict[str, Any]]:
    """A line for every stage, innermost first: its readings, and ``before`` those of what it was given.

    What grows has had nothing on its new grid before; there ``before`` is what chance and shape give, which is read
    off the true glyphs brought to that size.
    """
    lines: list[dict[str, Any]] = []
    for place, (block, statistics) in enumerate(on_glyphs.statistics.items()):
        smooth = on_smooth.statistics[block]
        side = next(iter(statistics.values())).side
        chance = _statistics_of(F.adaptive_avg_pool2d(truth, side))
        expected = {"by_place": chance.by_place, "by_frequency": 0.0, "smooth": 0.0}
        before = _readings(statistics["input"], smooth["input"]) if "input" in statistics else expected
        for part in (part for part in PARTS if part in statistics):
            now = _readings(statistics[part], smooth[part])
            line: dict[str, Any] = {
                "level": len(on_glyphs.statistics) - place,
                "part": part,
                "kind": type(getattr(block, part)).__name__,
                "side": statistics[part].side,
                "period_px": 2 * truth.shape[-1] // statistics[part].side,
                "truth_by_place": chance.by_place,
            }
            lines.append({**line, **now, "before": before})
            before = now
    return lines


READINGS = ("by_place", "by_frequency", "smooth")


def _readings(on_glyphs: StageStatistics, on_smooth: StageStatistics) -> dict[str, float | None]:
    return dict(zip(READINGS, (on_glyphs.by_place, on_glyphs.by_frequency, on_smooth.on_its_own), strict=True))


def jump(stage: dict[str, Any], reading: str) -> float:
    """By how much a stage changes a reading; 0 where its maps, or those it was given, are too small or dead.

    Below 0 (octaves), and for the places below what chance gives, there is no artefact that could grow or shrink.
    """
    least = stage["truth_by_place"] if reading == "by_place" else 0.0
    now, before = stage[reading], stage["before"][reading]
    return 0.0 if now is None or before is None or least is None else max(now, least) - max(before, least)


def no_reading(stage: dict[str, Any]) -> str:
    """Why a stage has no reading."""
    return "dead" if stage["side"] >= MIN_MAP_PX else "too small to say"


def largest_jump(stages: Sequence[dict[str, Any]], reading: str = "by_place") -> dict[str, Any] | None:
    """The stage that raises a reading most, or None if none does."""
    found = max(stages, key=lambda stage: jump(stage, reading), default=None)
    return found if found is not None and jump(found, reading) > 0 else None
