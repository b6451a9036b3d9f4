"""Every metric of a set of glyphs, with intervals, beside the baselines: what ``fontgan evaluate`` writes."""

import math
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from fontgan.evaluation.glyph_set import GlyphSet
from fontgan.extras import how_to_install
from fontgan.metrics import pixels
from fontgan.metrics.intervals import ClusterBootstrap, Interval, mean_of
from fontgan.metrics.keepable import ALMOST_ALL, WITHIN, Keepable, keepable
from fontgan.metrics.photographic import find_inception, find_lpips, frechet_distance
from fontgan.metrics.recognition import OcrReader, find_ocr, weighted
from fontgan.models.glyph_encoder import embeddings, perceptual_distance
from fontgan.runtime.progress import Bar
from fontgan.values import ink_from_pixels

FORMAT = 1
AT_ONCE = 64  # glyphs
SET_REPLICATES = 200  # at most: a metric of a whole set costs more to resample than a mean

Statistic = Callable[[np.ndarray], float]  # of some rows
Sets = dict[str, np.ndarray]  # the drawn glyphs, and by name each baseline's


class MetricInfo(NamedTuple):
    """What a metric is called, which way is better, and how it is computed, in a sentence."""

    title: str
    better: str  # "lower" or "higher"
    how: str
    of: str = "glyph"  # "glyph": one value each; "set": one for a style's glyphs together
    top: float = math.inf  # no value can be above; the stretch of the intervals knows nothing of that


def evaluate(glyphs: GlyphSet, *, ocr: str = "auto", replicates: int = 1000, seed: int = 1) -> dict[str, Any]:
    """Measures a glyph set.

    Args:
        ocr: auto, rapidocr or none.
        replicates, seed: of the bootstrap.
    Returns: what the JSON file holds: ``metrics`` (by name: mean, interval, styles, baselines), ``glyphs`` (each
        glyph's values, the most doubtful first), ``structure`` (how the gates were calibrated), ``matrix`` (trained
        and held-out characters by trained and unseen styles; None for folders), ``notes``.
    Raises: ConfigError if the OCR model is not there.
    """
    reader = find_ocr(ocr)
    sets = {"drawn": glyphs.drawn, **glyphs.baseline}
    metrics, values = _measure(glyphs, sets, reader)
    judged = _judge(glyphs, sets)
    metrics["keepable"] = MetricInfo(
        "keepable", "higher", "share of glyphs with no stroke lost, added, joined or broken, and the contour within "
        f"{WITHIN:.0%} of the em of the true one on {ALMOST_ALL:.0%} of its length", top=1.0,
    )  # fmt: skip
    values["keepable"] = {kind: each.kept.astype(np.float64) for kind, each in judged.items()}
    styles = [style for style, _ in glyphs.names]
    bootstrap = ClusterBootstrap(styles, replicates=replicates, seed=seed)
    found: dict[str, Any] = {}
    for name, metric in metrics.items():
        found[name] = _summary(metric, bootstrap, {kind: mean_of(each) for kind, each in values[name].items()})
        if name == "recognition":
            found[name] |= _ceiling(bootstrap, values[name])
    few = ClusterBootstrap(styles, replicates=min(replicates, SET_REPLICATES), seed=seed)
    for name, (metric, statistics) in _set_measures(glyphs, sets).items():
        found[name] = _summary(metric, few, statistics)
    return {
        "format": FORMAT,
        "size": glyphs.size,
        "count": len(glyphs.names),
        "styles": glyphs.styles,
        "metrics": {name: found[name] for name in sorted(found, key=ORDER.index)},
        "structure": {style: asdict(gate.calibration) for style, gate in glyphs.gates.items()},
        "matrix": _matrix(glyphs),
        "missing": glyphs.missing,
        "extra": glyphs.extra,
        "notes": [*glyphs.notes, *_unread(glyphs, reader, ocr)],
        "glyphs": _glyph_lines(glyphs, {name: of_sets["drawn"] for name, of_sets in values.items()}, judged["drawn"]),
    }


ORDER = ("l1", "l1_per_ink", "rmse", "psnr", "ssim", "ms_ssim", "iou", "glyph_perceptual", "lpips", "glyph_frechet", "fid",
         "phase_spread", "recognition", "structure", "keepable", "blank")  # fmt: skip


def _measure(glyphs: GlyphSet, sets: Sets, reader: OcrReader | None) -> tuple[dict[str, MetricInfo], dict[str, Sets]]:
    """Metrics of single glyphs, and their values: metric -> set -> (N,)."""
    measures = _pixel_measures(glyphs.size)
    if (lpips := find_lpips()) is not None:
        how = "AlexNet with torchvision's IMAGENET1K_V1 weights, found locally"
        measures["lpips"] = (MetricInfo("LPIPS", "lower", how), lpips)
    metrics = {name: metric for name, (metric, _) in measures.items()}
    values = {
        name: {kind: _in_parts(measure, images, glyphs.truth) for kind, images in sets.items()}
        for name, (_, measure) in Bar(measures.items(), desc="measuring", unit="metric", leave=False)
    }
    if reader is not None:
        how = f"confidence of {reader.name} where it reads the right character, else 0"
        metrics["recognition"] = MetricInfo("recognition", "higher", how, top=1.0)
        chars = [char for _, char in glyphs.names]
        values["recognition"] = {
            kind: weighted(reader.read(images), chars, reader.knows)
            for kind, images in {**sets, "truth": glyphs.truth}.items()
        }
    if glyphs.gates:
        metrics["structure"] = MetricInfo(
            "structure", "higher",
            "confidence, 0 to 1, that no stroke is wrong or missing, from ink density and skeleton distances to the "
            + ("source" if glyphs.source is not None else "true") + " glyph, calibrated on planted errors", top=1.0,
        )  # fmt: skip
        values["structure"] = {kind: _structure(glyphs, images) for kind, images in sets.items()}
    return metrics, values


def _pixel_measures(size: int) -> dict[str, tuple[MetricInfo, Callable[[Tensor, Tensor], Tensor]]]:
    scales = pixels.ms_ssim_scales(size)
    return {
        "l1": (MetricInfo("L1", "lower", "mean absolute difference of ink, 0 to 1"), pixels.l1),
        "l1_per_ink": (MetricInfo("L1 per ink", "lower", "summed absolute difference over the true ink; a blank page has 1"), pixels.l1_per_ink),
        "rmse": (MetricInfo("RMSE", "lower", "root of the mean squared difference of ink, 0 to 1"), pixels.rmse),
        "psnr": (MetricInfo("PSNR", "higher", f"decibels, at most {pixels.MAX_PSNR:g}"), pixels.psnr),
        "ssim": (MetricInfo("SSIM", "higher", "torchmetrics, Gaussian window of 11 px", top=1.0), pixels.ssim),
        "ms_ssim": (MetricInfo("MS-SSIM", "higher", f"torchmetrics, {scales} of the paper's 5 scales fit {size} px", top=1.0), pixels.ms_ssim),
        "iou": (MetricInfo("IoU", "higher", "intersection over union of the ink, by coverage", top=1.0), pixels.iou),
        "glyph_perceptual": (
            MetricInfo("glyph perceptual", "lower", "distance of the features of fontgan's own glyph encoder (not LPIPS)"),
            perceptual_distance,
        ),
        "blank": (MetricInfo("blank", "lower", f"share of glyphs with less than {pixels.BLANK_SHARE:.0%} of the true ink", top=1.0), pixels.blank),
    }  # fmt: skip


def _in_parts(measure: Callable[..., Any], *sets: np.ndarray) -> np.ndarray:
    """A measure of ink, a few glyphs at a time, so that memory does not grow with their number."""
    parts = (slice(start, start + AT_ONCE) for start in range(0, len(sets[0]), AT_ONCE))
    found = [measure(*(ink_from_pixels(images[part])[:, None] for images in sets)) for part in parts]
    return np.concatenate(found, dtype=np.float64)


def _judge(glyphs: GlyphSet, sets: Sets) -> dict[str, Keepable]:
    """What a designer would keep of each set."""
    return {
        kind: keepable(images, glyphs.truth, em_px=glyphs.em_of_each)
        for kind, images in Bar(sets.items(), desc="what to keep", unit="set", leave=False)
    }


def _structure(glyphs: GlyphSet, images: np.ndarray) -> np.ndarray:
    values = np.full(len(images), np.nan)
    for style, gate in glyphs.gates.items():
        rows = glyphs.rows[style]
        values[rows] = gate.confidence(glyphs.expected[rows], images[rows])
    return values


def _unread(glyphs: GlyphSet, reader: OcrReader | None, ocr: str) -> list[str]:
    """A note on what OCR says nothing of."""
    if reader is None:
        missing = f"no OCR model is installed ({how_to_install('ocr')}), so legibility was not measured."
        return [f"recognition: {missing}"] if ocr == "auto" else []
    chars = {char for _, char in glyphs.names}
    unknown = sorted(chars - reader.knows)
    if not unknown:
        return []
    listed = "".join(unknown[:20]) + ("..." if len(unknown) > 20 else "")
    return [
        f"recognition: {reader.name} does not know {len(unknown)} of the {len(chars)} characters ({listed}); "
        "they are left out of it."
    ]


def _ceiling(bootstrap: ClusterBootstrap, values: dict[str, np.ndarray]) -> dict[str, float | None]:
    """What the true glyphs reach, and the plain share of right readings of both; NaN is what OCR does not know."""
    right = {kind: np.where(np.isnan(values[kind]), np.nan, values[kind] > 0) for kind in ("drawn", "truth")}
    means = {"ceiling": values["truth"], "accuracy": right["drawn"], "ceiling_accuracy": right["truth"]}
    return {name: finite_or_none(bootstrap.overall(mean_of(each))) for name, each in means.items()}


def _set_measures(glyphs: GlyphSet, sets: Sets) -> dict[str, tuple[MetricInfo, dict[str, Statistic]]]:
    """For the drawn and each baseline set the statistic of some of its rows."""
    errors = {kind: _in_parts(pixels.error_by_phase, images, glyphs.truth) for kind, images in sets.items()}
    found: dict[str, tuple[MetricInfo, dict[str, Statistic]]] = {
        "glyph_frechet": (
            MetricInfo("glyph Frechet", "lower", "Frechet distance of the embeddings of fontgan's own glyph encoder (not FID), "
                   "style by style; depends on the number of glyphs", "set"),
            _frechet(embeddings, glyphs, sets),
        ),
        "phase_spread": (
            MetricInfo("phase spread", "lower", "how unevenly the error falls on the four places of the 2x2 pixel grid (standard "
                   "deviation over mean): checkerboard and teeth; the baselines show what chance gives", "set"),
            {kind: partial(_phase_spread, each) for kind, each in errors.items()},
        ),
    }  # fmt: skip
    if (inception := find_inception()) is not None:
        how = "torch-fidelity's Inception weights of 2015-12-05, found locally; depends on the number of glyphs"
        found["fid"] = (MetricInfo("FID", "lower", how, "set"), _frechet(inception, glyphs, sets))
    return found


def _frechet(embed: Callable[[Tensor], Any], glyphs: GlyphSet, sets: Sets) -> dict[str, Statistic]:
    true = _in_parts(embed, glyphs.truth)

    def distance(features: np.ndarray, rows: np.ndarray) -> float:
        return frechet_distance(features[rows], true[rows])

    return {kind: partial(distance, _in_parts(embed, images)) for kind, images in sets.items()}


def _phase_spread(errors: np.ndarray, rows: np.ndarray) -> float:
    """Of (N, 4) errors by phase; 0 where there is no error at all."""
    by_phase = errors[rows].mean(axis=0)
    return float(by_phase.std() / by_phase.mean()) if by_phase.mean() > 0 else 0.0


def _summary(metric: MetricInfo, bootstrap: ClusterBootstrap, statistics: dict[str, Statistic]) -> dict[str, Any]:
    """A metric's place in the result, from its statistic for the drawn glyphs and for each baseline set."""
    drawn = bootstrap.with_interval(statistics["drawn"])
    styles = {style: _interval(bootstrap.of_style(style, statistics["drawn"]), metric.top) for style in bootstrap.names}
    baseline = {kind: bootstrap.overall(of) for kind, of in statistics.items() if kind not in ("drawn", "truth")}
    sign, blank = (1 if metric.better == "lower" else -1), baseline.get("blank_page", math.nan)
    return {
        "title": metric.title,
        "better": metric.better,
        "of": metric.of,
        "how": metric.how,
        **_interval(drawn, metric.top),
        "styles": styles,
        "baselines": {kind: finite_or_none(value) for kind, value in baseline.items()},
        "blank_wins": bool(sign * blank < sign * drawn.mean),
    }


def _interval(found: Interval, top: float) -> dict[str, float | None]:
    return {name: finite_or_none(min(value, top)) for name, value in found._asdict().items()}


def finite_or_none(value: float) -> float | None:
    """JSON knows no NaN."""
    return float(value) if math.isfinite(value) else None


def _matrix(glyphs: GlyphSet) -> dict[str, Any] | None:
    """How much is lost on characters that were not trained on; None where training characters are not known."""
    if glyphs.trained is None:
        return None
    measures = {"l1": pixels.l1, "ssim": pixels.ssim, "glyph_perceptual": perceptual_distance}
    cells = []
    for characters, part in (("trained", glyphs.trained), ("held_out", glyphs)):
        bootstrap = ClusterBootstrap([style for style, _ in part.names], replicates=1, seed=1)
        values = {name: _in_parts(measure, part.drawn, part.truth) for name, measure in measures.items()}
        means = {name: finite_or_none(bootstrap.overall(mean_of(of))) for name, of in values.items()}
        cells.append({"characters": characters, "styles": "trained", "count": len(part.names), **means})
    return {"cells": cells, "unseen_styles": "none: the model draws only the styles it was trained on"}


def _glyph_lines(glyphs: GlyphSet, values: dict[str, np.ndarray], judged: Keepable) -> list[dict[str, Any]]:
    """One entry a glyph, the most doubtful first: by structure, or where there is none by SSIM."""
    lines = [
        {"style": style, "char": char, **{name: finite_or_none(of[row]) for name, of in values.items()},
         "contour_within": float(judged.contour_within[row]), "not_kept_for": judged.why[row]}
        for row, (style, char) in enumerate(glyphs.names)
    ]  # fmt: skip
    return sorted(lines, key=lambda line: (1.0 if line.get("structure") is None else line["structure"], line["ssim"]))
