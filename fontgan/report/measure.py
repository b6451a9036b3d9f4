"""Runs -> their scores of every held-out glyph, kept in the user's cache so that the next report is quick.

Not in the run's own folder: a run may come from a stranger, and its scores are for us to measure.
"""

import hashlib
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fontgan import __version__
from fontgan.errors import RunError, UserError
from fontgan.evaluation.evaluate import evaluate
from fontgan.evaluation.glyph_set import Pair, glyph_set_of_run
from fontgan.generate.inference import load
from fontgan.metrics.intervals import Interval, PairedBootstrap
from fontgan.metrics.photographic import ALEXNET, INCEPTION
from fontgan.metrics.recognition import find_ocr
from fontgan.report.collect import LeftOut, TrainedRun, Variant
from fontgan.report.ranking import Standing, rank
from fontgan.runtime.checksums import read_sealed, sealed, sha256_of
from fontgan.runtime.device import pick_device, pick_precision
from fontgan.runtime.files import atomic_write, cache_folder
from fontgan.runtime.log_setup import quiet
from fontgan.runtime.progress import Bar

log = logging.getLogger(__name__)

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

    @property
    def computing(self) -> dict[str, Any]:
        return {"batch_size": self.batch_size, "device": self.device, "precision": self.precision}


@dataclass
class ComparedMetric:
    """A score of all variants."""

    # What the page says of it: title, better, of, how, blank_wins, baselines; and ceiling, what the true glyphs
    # themselves reach where that is not perfect.
    about: dict[str, Any]
    standings: list[Standing]  # the best first, of a metric of single glyphs; empty for one of whole sets
    of_sets: list[Interval | None]  # of a metric of whole sets: each variant's mean and the widest ends of its runs
    of_runs: list[list[float | None]]  # the mean of each run of each variant


@dataclass
class Comparison:
    size: int
    pairs: list[Pair]  # what all runs were scored on
    styles: list[str]
    whole: bool  # whether these are all that any of them was scored on
    metrics: dict[str, ComparedMetric]
    main: str  # the metric that ranks


# -- measuring ------------------------------------------------------------------------------


def measure(variants: Sequence[Variant], settings: Settings) -> tuple[list[Variant], list[LeftOut]]:
    """Measures every run. Returns: the variants with the runs that could be, and the other runs with the reason."""
    measured, left_out = [], []
    tools = _tools(settings)
    with Bar(total=sum(len(variant.runs) for variant in variants), unit="run", desc="measuring") as bar:
        for variant in variants:
            there = Variant(variant.label, [])
            for run in variant.runs:
                bar.set_postfix_str(run.name, refresh=True)
                try:
                    measure_run(run, settings, tools)
                    there.runs.append(run)
                except UserError as error:
                    left_out.append(LeftOut(run.name, "not measured", " ".join(str(error).split())))
                bar.update()
            if there.runs:
                measured.append(there)
    return measured, left_out


def measure_run(run: TrainedRun, settings: Settings, tools: dict[str, Any]) -> None:
    """Gives a run its evaluation, from where it was kept if nothing that shapes it has changed.

    Args:
        tools: what it is measured with, on this machine.
    Raises: UserError if the run cannot be drawn or measured.
    """
    try:
        weights, config = (sha256_of(run.checkpoint.folder / name) for name in ("generator.safetensors", "config.yaml"))
    except OSError as error:
        raise RunError(f"{error.filename}: cannot be read ({error.strerror}). Use another checkpoint.") from error
    key = {**tools, "step": run.checkpoint.step, "weights": weights, "config": config}
    file = kept_file(key)
    kept = _read_kept(file, key)
    if kept is None:
        kept = {"format": FORMAT, "key": key, **_measure_anew(run, settings)}
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(file, sealed(kept, indent=None))
        except OSError as error:
            log.warning("%s: cannot be written (%s); the next report measures this run again", file, error.strerror)
    run.evaluation = kept["evaluation"]
    run.truth = {(style, char): fingerprint for style, char, fingerprint in kept["truth"]}


def kept_file(key: dict[str, Any]) -> Path:
    """Where the evaluation of a checkpoint is kept, wherever the checkpoint lies; one by other settings replaces it."""
    what = hashlib.sha256(f"{key['weights']} {key['config']}".encode()).hexdigest()
    return cache_folder(None) / "reports" / f"{what[:24]}.json"


def _measure_anew(run: TrainedRun, settings: Settings) -> dict[str, Any]:
    replicates, seed = settings.replicates, settings.seed
    with quiet():
        glyphs = glyph_set_of_run(load(run.checkpoint.folder, **settings.computing), seed=seed)
    prints = (hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in glyphs.truth)
    truth = [[*pair, fingerprint] for pair, fingerprint in zip(glyphs.names, prints, strict=True)]
    return {"evaluation": evaluate(glyphs, ocr=settings.ocr, replicates=replicates, seed=seed), "truth": truth}


def _tools(settings: Settings) -> dict[str, Any]:
    """What shapes every run's evaluation: the settings, and the OCR model and the standard weights that are there.

    Raises: ConfigError if the OCR model is not there.
    """
    reader, device = find_ocr(settings.ocr), pick_device(settings.device)
    return {
        "fontgan": __version__,
        "metrics": METRICS_REVISION,
        "ocr": settings.ocr if reader is None else reader.name,
        "lpips": ALEXNET.find() is not None,
        "fid": INCEPTION.find() is not None and importlib.util.find_spec("torch_fidelity") is not None,
        "replicates": settings.replicates,
        "seed": settings.seed,
        "device": device.type,
        "precision": pick_precision(settings.precision, device),
    }


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


# -- comparing ------------------------------------------------------------------------------


def compare(variants: Sequence[Variant], settings: Settings) -> Comparison:
    """Ranks variants on the glyphs that all of them drew and whose true glyphs are the same, pixel by pixel.

    Raises: RunError if there are none.
    """
    runs = [run for variant in variants for run in variant.runs]
    first = runs[0]
    styles = list(first.evaluation["styles"])
    charset = {char: place for place, char in enumerate(first.checkpoint.metadata["data"]["held_out"])}
    pairs = sorted(first.truth, key=lambda pair: (styles.index(pair[0]), charset.get(pair[1], 0), pair[1]))
    for other in runs[1:]:
        pairs = [pair for pair in pairs if other.truth.get(pair) == first.truth[pair]]
        if not pairs:
            raise RunError(f"runs: {first.name} and {other.name} share no held-out glyph ({_why_none(first, other)}). Report on each by itself.")  # fmt: skip
    whole = all(len(run.truth) == len(pairs) for run in runs)
    styles = list(dict.fromkeys(style for style, _ in pairs))
    metrics = _metrics(variants, pairs, styles, settings, whole=whole)
    ranked = [key for key, metric in metrics.items() if metric.standings]
    if not ranked:
        raise RunError("runs: no score could be computed for every run. Measure one by itself: fontgan evaluate run=RUN.")  # fmt: skip
    main = "ssim" if "ssim" in ranked else ranked[0]
    return Comparison(first.evaluation["size"], pairs, styles, whole, metrics, main)


def _why_none(first: TrainedRun, other: TrainedRun) -> str:
    ours, theirs = first.evaluation["styles"], other.evaluation["styles"]
    if not set(ours) & set(theirs):
        return f"styles {', '.join(ours)} and {', '.join(theirs)}"
    if not first.truth.keys() & other.truth.keys():
        return "other characters were held out"
    return "their true glyphs are drawn from other fonts or otherwise placed"


def _metrics(
    variants: Sequence[Variant], pairs: Sequence[Pair], names: list[str], settings: Settings, *, whole: bool
) -> dict[str, ComparedMetric]:
    """Scores of all variants on the pairs.

    Args:
        names: the styles of the pairs.
        whole: whether these are all that were measured; if not, what the evaluations say of whole sets is left out.
    """
    styles = np.array([names.index(style) for style, _ in pairs])

    @cache
    def bootstrap_of(there: bytes) -> PairedBootstrap:
        rows = np.frombuffer(there, dtype=bool)
        return PairedBootstrap(styles[rows], replicates=settings.replicates, seed=settings.seed)

    glyphs = [[run.glyphs for run in variant.runs] for variant in variants]
    evaluations = [[run.evaluation["metrics"] for run in variant.runs] for variant in variants]
    found = {}
    for key in evaluations[0][0]:
        if not all(key in each for of_runs in evaluations for each in of_runs):
            continue
        described = [[each[key] for each in of_runs] for of_runs in evaluations]
        metric = ComparedMetric(_about([each for of_runs in described for each in of_runs], whole), [], [], [])
        if metric.about["of"] == "glyph":
            listed = ([[each[pair].get(key) for pair in pairs] for each in of_runs] for of_runs in glyphs)
            values = [np.array(of_runs, dtype=np.float64) for of_runs in listed]  # None becomes NaN
            there = np.isfinite(np.concatenate(values)).all(axis=0)
            if not there.any():
                continue
            bootstrap, known = bootstrap_of(there.tobytes()), [of_runs[:, there] for of_runs in values]
            metric.standings = rank(known, bootstrap, higher_is_better=metric.about["better"] == "higher")
            metric.of_runs = [[bootstrap.mean(run[None]) for run in of_runs] for of_runs in known]
        elif whole:
            metric.of_sets = [_widest(of_runs) for of_runs in described]
            metric.of_runs = [[each["mean"] for each in of_runs] for of_runs in described]
        else:
            continue
        found[key] = metric
    return found


def _about(described: Sequence[dict[str, Any]], whole: bool) -> dict[str, Any]:
    """What is said of a metric, with the baselines' scores, which are the same for runs on the same glyphs."""
    baselines: dict[str, float] = {}
    for each in described if whole else ():
        baselines |= {k: float(v) for k, v in each["baselines"].items() if v is not None and k not in baselines}
    return {
        **{key: described[0][key] for key in ("title", "better", "of", "how")},
        "blank_wins": whole and any(each["blank_wins"] for each in described),
        "baselines": baselines,
        "ceiling": described[0].get("ceiling") if whole else None,
    }


def _widest(described: Sequence[dict[str, Any]]) -> Interval | None:
    known = [each for each in described if each["mean"] is not None]
    if not known:
        return None
    mean = float(np.mean([each["mean"] for each in known]))
    lows, highs = ([each[end] for each in known if each[end] is not None] for end in ("low", "high"))
    return Interval(mean, min(lows, default=mean), max(highs, default=mean))
