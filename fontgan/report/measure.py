"""Runs -> their scores of every held-out glyph, kept in the user's cache so that the next report is quick.

Not in the run's own folder: a run may come from a stranger, and its scores are for us to measure.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fontgan import __version__
from fontgan.errors import RunError, UserError
from fontgan.evaluation.evaluate import evaluate
from fontgan.evaluation.glyph_set import Pair, glyph_set_of_run
from fontgan.metrics.intervals import Interval, PairedBootstrap
from fontgan.metrics.photographic import ALEXNET, INCEPTION
from fontgan.metrics.recognition import find_ocr
from fontgan.report.collect import LeftOut, TrainedRun, Variant
from fontgan.report.ranking import Standing, rank
from fontgan.runtime.checksums import read_sealed, sealed
from fontgan.runtime.device import pick_device, pick_precision
from fontgan.runtime.files import atomic_write, cache_folder
from fontgan.runtime.log_setup import quiet

log = logging.getLogger(__name__)

KEPT_IN = "reports"  # in the user's cache, a file for each checkpoint
FORMAT = 2
METRICS_REVISION = 2  # raise it when a metric's code changes, so that what was kept is measured anew


@dataclass
class Settings:
    """How runs are measured; the same for all."""

    ocr: str = "auto"
    replicates: int = 1000
    seed: int = 1
    batch_size: int = 32
    device: str = "auto"
    precision: str = "auto"


@dataclass
class Measured:
    """A run's evaluation, and a fingerprint of the true glyph behind each of its entries."""

    run: TrainedRun
    evaluation: dict[str, Any]
    truth: dict[Pair, str]

    @property
    def glyphs(self) -> dict[Pair, dict[str, Any]]:
        """The worst first."""
        return {(entry["style"], entry["char"]): entry for entry in self.evaluation["glyphs"]}


@dataclass
class MeasuredVariant:
    label: str
    runs: list[Measured]


@dataclass
class ComparedMetric:
    """A score of all variants.

    Attributes:
        standings: the best first, of a metric of single glyphs; empty for one of whole sets.
        of_sets: one interval a variant, of a metric of whole sets: the mean over its runs, and the widest of their ends.
        of_runs: the mean of each run of each variant.
    """

    title: str
    higher_is_better: bool
    how: str
    of: str
    blank_wins: bool
    baselines: dict[str, float]
    ceiling: float | None  # what the true glyphs themselves reach, where that is not perfect
    standings: list[Standing]
    of_sets: list[Interval | None]
    of_runs: list[list[float | None]]


@dataclass
class Comparison:
    size: int
    pairs: list[Pair]  # what all runs were scored on
    whole: bool  # whether these are all that any of them was scored on
    metrics: dict[str, ComparedMetric]
    main: str  # the metric that ranks

    @property
    def styles(self) -> list[str]:
        return list(dict.fromkeys(style for style, _ in self.pairs))


# -- measuring ------------------------------------------------------------------------------


def measure(variants: Sequence[Variant], settings: Settings) -> tuple[list[MeasuredVariant], list[LeftOut]]:
    """Measures every run. Returns: also the runs that could not be measured, with the reason."""
    measured, left_out = [], []
    tools = _tools(settings)
    with tqdm(total=sum(len(variant.runs) for variant in variants), unit="run", desc="measuring") as bar:
        for variant in variants:
            there = MeasuredVariant(variant.label, [])
            for run in variant.runs:
                bar.set_postfix_str(run.name, refresh=True)
                try:
                    there.runs.append(measure_run(run, settings, tools))
                except UserError as error:
                    left_out.append(LeftOut(run.name, "not measured", " ".join(str(error).split())))
                bar.update()
            if there.runs:
                measured.append(there)
    return measured, left_out


def measure_run(run: TrainedRun, settings: Settings, tools: dict[str, Any]) -> Measured:
    """A run's evaluation, from where it was kept if nothing that shapes it has changed.

    Args:
        tools: what there is on this machine to measure with.
    Raises: UserError if the run cannot be drawn or measured.
    """
    key = _what_shapes_it(run, settings, tools)
    file = kept_file(key)
    kept = _read_kept(file, key)
    if kept is None:
        kept = {"format": FORMAT, "key": key, **_measure_anew(run, settings)}
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(file, sealed(kept, indent=None))
        except OSError as error:
            log.warning("%s: cannot be written (%s); the next report measures this run again", file, error.strerror)
    truth = {(style, char): fingerprint for style, char, fingerprint in kept["truth"]}
    return Measured(run, kept["evaluation"], truth)


def kept_file(key: dict[str, Any]) -> Path:
    """Where the evaluation of a checkpoint is kept, wherever the checkpoint lies; one by other settings replaces it."""
    what = hashlib.sha256(f"{key['weights']} {key['config']}".encode()).hexdigest()
    return cache_folder(None) / KEPT_IN / f"{what[:24]}.json"


def _measure_anew(run: TrainedRun, settings: Settings) -> dict[str, Any]:
    with quiet():
        glyphs = glyph_set_of_run(
            run.checkpoint.folder,
            batch_size=settings.batch_size,
            device=settings.device,
            precision=settings.precision,
            seed=settings.seed,
        )
    return {
        "evaluation": evaluate(glyphs, ocr=settings.ocr, replicates=settings.replicates, seed=settings.seed),
        "truth": [
            [style, char, _fingerprint(image)] for (style, char), image in zip(glyphs.names, glyphs.truth, strict=True)
        ],
    }


def _tools(settings: Settings) -> dict[str, Any]:
    """The OCR model and the standard weights that are there, which shape every run's evaluation.

    Raises: ConfigError if the OCR model is not there.
    """
    reader = find_ocr(settings.ocr)
    fid = INCEPTION.find() is not None and importlib.util.find_spec("torch_fidelity") is not None
    return {
        "metrics": METRICS_REVISION,
        "ocr": settings.ocr if reader is None else reader.name,
        "lpips": ALEXNET.find() is not None,
        "fid": fid,
    }


def _what_shapes_it(run: TrainedRun, settings: Settings, tools: dict[str, Any]) -> dict[str, Any]:
    """Raises: RunError if the checkpoint lacks its weights."""
    device = pick_device(settings.device)
    try:
        weights, config = (_sum_of(run.checkpoint.folder / name) for name in ("generator.safetensors", "config.yaml"))
    except OSError as error:
        raise RunError(f"{error.filename}: cannot be read ({error.strerror}). Use another checkpoint.") from error
    return {
        "fontgan": __version__,
        **tools,
        "step": run.checkpoint.step,
        "weights": weights,
        "config": config,
        "replicates": settings.replicates,
        "seed": settings.seed,
        "device": device.type,
        "precision": pick_precision(settings.precision, device),
    }


def _sum_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _read_kept(file: Path, key: dict[str, Any]) -> dict[str, Any] | None:
    """What was kept for this very key; None if there is nothing, or it is stale or damaged."""
    if not file.is_file():
        return None
    try:
        kept = read_sealed(file, FORMAT)
    except (OSError, ValueError) as error:
        log.warning("%s: cannot be used (%s); the run is measured again", file, error)
        return None
    return kept if kept.get("key") == key else None


def _fingerprint(image: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:16]


# -- comparing ------------------------------------------------------------------------------


def compare(variants: Sequence[MeasuredVariant], settings: Settings) -> Comparison:
    """Ranks variants on the glyphs that all of them drew and whose true glyphs are the same, pixel by pixel.

    Raises: RunError if there are none.
    """
    runs = [measured for variant in variants for measured in variant.runs]
    first = runs[0]
    pairs = dict.fromkeys(_in_order(first))
    for other in runs[1:]:
        shared = {pair: None for pair in pairs if other.truth.get(pair) == first.truth[pair]}
        if not shared:
            raise RunError(f"runs: {first.run.name} and {other.run.name} share no held-out glyph ({_why_none(first, other)}). Report on each by itself.")  # fmt: skip
        pairs = shared
    compared = list(pairs)
    whole = all(len(run.truth) == len(compared) for run in runs)
    metrics = _metrics(variants, compared, settings, whole=whole)
    ranked = [key for key, metric in metrics.items() if metric.standings]
    if not ranked:
        raise RunError("runs: no score could be computed for every run. Measure one by itself: fontgan evaluate run=RUN.")  # fmt: skip
    return Comparison(first.evaluation["size"], compared, whole, metrics, "ssim" if "ssim" in ranked else ranked[0])


def _in_order(measured: Measured) -> list[Pair]:
    """A run's pairs by style, then in the order of its charset."""
    styles = list(measured.evaluation["styles"])
    held_out = {char: place for place, char in enumerate(measured.run.checkpoint.metadata["data"]["held_out"])}
    return sorted(measured.truth, key=lambda pair: (styles.index(pair[0]), held_out.get(pair[1], 0), pair[1]))


def _why_none(first: Measured, other: Measured) -> str:
    ours, theirs = first.evaluation["styles"], other.evaluation["styles"]
    if not set(ours) & set(theirs):
        return f"styles {', '.join(ours)} and {', '.join(theirs)}"
    if not first.truth.keys() & other.truth.keys():
        return "other characters were held out"
    return "their true glyphs are drawn from other fonts or otherwise placed"


def _metrics(
    variants: Sequence[MeasuredVariant], pairs: Sequence[Pair], settings: Settings, *, whole: bool
) -> dict[str, ComparedMetric]:
    """Scores of all variants on the pairs.

    Args:
        whole: whether these are all that were measured; if not, what the evaluations say of whole sets is left out.
    """
    runs = [measured for variant in variants for measured in variant.runs]
    everywhere = [k for k in runs[0].evaluation["metrics"] if all(k in run.evaluation["metrics"] for run in runs)]
    names = list(dict.fromkeys(style for style, _ in pairs))
    styles = np.array([names.index(style) for style, _ in pairs])
    bootstraps: dict[bytes, PairedBootstrap] = {}
    found = {}
    for key in everywhere:
        described = [run.evaluation["metrics"][key] for run in runs]
        metric = ComparedMetric(
            title=str(described[0]["title"]),
            higher_is_better=described[0]["better"] == "higher",
            how=str(described[0].get("how") or ""),
            of=str(described[0]["of"]),
            blank_wins=whole and any(each.get("blank_wins") for each in described),
            baselines=_baselines(described) if whole else {},
            ceiling=described[0].get("ceiling") if whole else None,
            standings=[],
            of_sets=[],
            of_runs=[],
        )
        if metric.of == "glyph":
            values = [np.stack([_values(run, key, pairs) for run in variant.runs]) for variant in variants]
            there = np.isfinite(np.concatenate(values)).all(axis=0)
            if not there.any():
                continue
            if there.tobytes() not in bootstraps:
                bootstraps[there.tobytes()] = PairedBootstrap(
                    styles[there], replicates=settings.replicates, seed=settings.seed
                )
            bootstrap = bootstraps[there.tobytes()]
            known = [of_runs[:, there] for of_runs in values]
            metric.standings = rank(known, bootstrap, higher_is_better=metric.higher_is_better)
            metric.of_runs = [[bootstrap.mean(run[None]) for run in of_runs] for of_runs in known]
        elif whole:
            sets = [[run.evaluation["metrics"][key] for run in variant.runs] for variant in variants]
            metric.of_sets = [_widest(of_runs) for of_runs in sets]
            metric.of_runs = [[each.get("mean") for each in of_runs] for of_runs in sets]
        else:
            continue
        found[key] = metric
    return found


def _values(measured: Measured, key: str, pairs: Sequence[Pair]) -> np.ndarray:
    glyphs = measured.glyphs
    return np.array([glyphs[pair].get(key) for pair in pairs], dtype=np.float64)  # None becomes NaN


def _baselines(described: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The baselines' scores, which are the same for runs on the same glyphs."""
    found: dict[str, float] = {}
    for each in described:
        for name, value in (each.get("baselines") or {}).items():
            if value is not None:
                found.setdefault(str(name), float(value))
    return found


def _widest(described: Sequence[dict[str, Any]]) -> Interval | None:
    known = [each for each in described if each.get("mean") is not None]
    if not known:
        return None
    mean = float(np.mean([each["mean"] for each in known]))
    lows = [each["low"] for each in known if each.get("low") is not None]
    highs = [each["high"] for each in known if each.get("high") is not None]
    return Interval(mean, min(lows, default=mean), max(highs, default=mean))
