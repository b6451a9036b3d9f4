"""Where a run's artefacts come from: scores of its held-out glyphs, of plain inputs, of every stage of its decoder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fontgan.evaluation.glyph_set import GlyphSet, draw_pairs, held_out_pairs, pack_of
from fontgan.generate.inference import Run
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


def diagnose(run: Run, *, glyphs: int) -> tuple[dict[str, Any], GlyphSet]:
    """Measures the artefacts of a run.

    Args:
        glyphs: how many held-out pairs at most, from all its styles.
    Returns: what the JSON file holds (``scores``, ``smooth``, ``stages``, ``glyphs``), and the glyphs themselves.
    Raises: RunError if its glyphs have changed, or nothing is held out.
    """
    pack = pack_of(run)
    drawn = draw_pairs(run, pack, subsample_evenly(held_out_pairs(run, pack), glyphs))
    source, truth = image_from_pixels(drawn.expected)[:, None], _ink(drawn.truth)
    # What is scored: the drawn glyphs, and as a measure of what wrong shapes alone give, their sources.
    kinds = {"drawn": _ink(drawn.drawn), "copy_source": _ink(drawn.expected)}
    weights = torch.cat([run.weights(style) for style, _ in drawn.names])
    each: dict[str, dict[str, np.ndarray]] = {}  # score -> drawn, and copy_source where a copy can be scored -> (N,)
    for name, score in SCORES.items():
        if score.measure is None:
            each[name] = {"drawn": shift_difference(lambda moved: _draw(run, moved, weights), source, truth).numpy()}
        else:
            each[name] = {kind: score.measure(ink, truth).numpy() for kind, ink in kinds.items()}
    on_glyphs, on_smooth = Probe(run.generator), Probe(run.generator)
    smooth = _smooth(run, on_smooth)
    with on_glyphs.listening():
        _draw(run, source, weights)
    scores = {name: _summary(name, drawn, values) for name, values in each.items()}
    scores["checkerboard_phase"]["together"] = {kind: _together(ink, truth) for kind, ink in kinds.items()}
    found = {
        "format": FORMAT,
        "checkpoint": str(run.checkpoint.folder),
        "step": run.checkpoint.step,
        "size": drawn.size,
        "count": len(drawn.names),
        "styles": drawn.styles,
        "scores": scores,
        "smooth": smooth,
        "stages": stages(on_glyphs, on_smooth, truth),
        "glyphs": [
            {"style": style, "char": char, **{name: float(values["drawn"][row]) for name, values in each.items()}}
            for row, (style, char) in enumerate(drawn.names)
        ],
    }
    return found, drawn


def _ink(pixels: np.ndarray) -> Tensor:
    """(N, H, W) uint8 -> (N, 1, H, W), 0 paper .. 1 ink."""
    return ink_from_image(image_from_pixels(pixels))[:, None]


def _draw(run: Run, source: Tensor, weights: Tensor) -> Tensor:
    """Source images -> ink."""
    images = draw_glyphs(
        run.generator, source, weights,
        device=run.device, autocast=autocast(run.device, run.precision), batch_size=run.batch_size,
    )  # fmt: skip
    return ink_from_image(images)


def _together(ink: Tensor, truth: Tensor) -> float:
    """``checkerboard_phase`` of all glyphs as one: what a glyph alone shows by chance has averaged out."""
    return float(peak_to_peak(phase_means(ink - truth).mean((0, 1))) / mean_ink(truth).mean())


def _summary(name: str, glyphs: GlyphSet, values: dict[str, np.ndarray]) -> dict[str, Any]:
    means = {kind: float(np.mean([of[rows].mean() for rows in glyphs.rows.values()])) for kind, of in values.items()}
    drawn = values["drawn"]
    return {
        "title": SCORES[name].title,
        "unit": SCORES[name].unit,
        "how": SCORES[name].how,
        "mean": means["drawn"],
        "copy_source": means.get("copy_source"),
        "styles": {style: float(drawn[rows].mean()) for style, rows in glyphs.rows.items()},
        "worst": [
            {"style": glyphs.names[row][0], "char": glyphs.names[row][1], "value": float(drawn[row])}
            for row in np.argsort(-drawn, kind="stable")[:WORST]
        ],
    }


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
            found[name][style] = float(phase_bias(map_[None].cpu(), border, tapered=True))
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
            self.sums[name] = self.sums.get(name, torch.tensor(0.0)) + part.cpu().double().sum(0)

    def readings(self, on_smooth: StageStatistics | None = None) -> dict[str, float | None]:
        """None where the maps are too small, or dead: no channel carries anything.

        by_place: spread of the four places' means over all maps, in standard deviations of the channel.
        by_frequency: ``nyquist_excess``, in octaves.   Both are means over channels.
        smooth: spread of the four places' means in each map, over the maps' mean absolute value, on smooth inputs.
        """
        found: dict[str, float | None] = {"by_place": None, "by_frequency": None, "smooth": None}
        mean = {name: total / self.count for name, total in self.sums.items()}
        deviation = (mean["square"] - mean["mean"].square()).clamp_min(0).sqrt()
        alive = deviation > DEAD * deviation.max()
        if self.side >= MIN_MAP_PX and alive.any():
            found["by_place"] = float((peak_to_peak(mean["places"])[alive] / deviation[alive]).mean())
            found["by_frequency"] = float((mean["at"] / mean["beside"]).log2()[alive].mean())
        if on_smooth is not None and on_smooth.side >= MIN_MAP_PX:
            level, spread = (float((on_smooth.sums[name] / on_smooth.count).mean()) for name in ("level", "spread"))
            found["smooth"] = spread / level if level > 0 else None
        return found


class Probe:
    """Listens to every stage of a generator's decoder, whatever blocks it is made of.

    ``statistics`` has the stages in the order they work: block -> part -> statistics, and under ``input`` what a resize that
    keeps the size was given.
    """

    def __init__(self, generator: nn.Module):
        self.blocks = [module for module in generator.modules() if isinstance(module, UpBlock | OutputHead)]
        self.statistics: dict[nn.Module, dict[str, StageStatistics]] = defaultdict(lambda: defaultdict(StageStatistics))

    @contextmanager
    def listening(self) -> Iterator[None]:
        with ExitStack() as hooks:
            for block, part in product(self.blocks, PARTS):
                if hasattr(block, part):
                    hook = partial(self._hear, block, part)
                    hooks.enter_context(getattr(block, part).register_forward_hook(hook))
            yield

    def _hear(self, block: nn.Module, part: str, _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        statistics = self.statistics[block]
        if output is inputs[0]:
            return  # a part that is switched off, such as NoRefine
        if part == "resize" and inputs[0].shape[-2:] == output.shape[-2:]:
            statistics["input"].add(inputs[0])
        statistics[part].add(output)


def stages(on_glyphs: Probe, on_smooth: Probe, truth: Tensor) -> list[dict[str, Any]]:
    """A line for every stage, innermost first: its readings, and ``before`` those of what it was given.

    What grows has had nothing on its new grid before; there ``before`` is what chance and shape give, which is read
    off the true glyphs brought to that size.
    """
    lines: list[dict[str, Any]] = []
    for place, (block, statistics) in enumerate(on_glyphs.statistics.items()):
        smooth = on_smooth.statistics[block]
        shrunk = StageStatistics()
        shrunk.add(F.adaptive_avg_pool2d(truth, next(iter(statistics.values())).side))
        chance = shrunk.readings()["by_place"]
        before: dict[str, float | None] = {"by_place": chance, "by_frequency": 0.0, "smooth": 0.0}
        if "input" in statistics:
            before = statistics["input"].readings(smooth["input"])
        for part in (part for part in PARTS if part in statistics):
            side, now = statistics[part].side, statistics[part].readings(smooth[part])
            line = {
                "level": len(on_glyphs.statistics) - place,
                "part": part,
                "kind": type(getattr(block, part)).__name__,
                "side": side,
                "period_px": 2 * truth.shape[-1] // side,
                "truth_by_place": chance,
            }
            lines.append({**line, **now, "before": before})
            before = now
    return lines


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
