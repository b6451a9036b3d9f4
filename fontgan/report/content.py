"""What a report says, as plain numbers and words: the page, the CSV and the JSON are all made from this."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.config.saved import differences
from fontgan.errors import ConfigError, encodable
from fontgan.evaluation.glyph_set import Pair
from fontgan.report.collect import Collection, LeftOut, TrainedRun, tells_variants_apart
from fontgan.report.cost import Cost
from fontgan.report.measure import ComparedMetric, Comparison, Measured, MeasuredVariant
from fontgan.report.ranking import answer, say_list
from fontgan.runtime.subsample import subsample_evenly

FORMAT = 1
CURVES = ("ssim", "l1")  # scores that metrics.jsonl holds and that are drawn over the steps
WALL_CHARS = 12  # of each style
WALL_GLYPHS = 600  # in all, of each variant; more styles get fewer characters
WORST_GLYPHS = 8
FEW = 10  # styles or seeds; below, percentile intervals cover clearly less than their 95 %

BASELINE_NAMES = {
    "copy_source": "the source, copied",
    "blank_page": "a blank page",
    "mean_glyph": "the style's mean glyph",
}


def content_of(
    collection: Collection,
    variants: Sequence[MeasuredVariant],
    comparison: Comparison,
    costs: Sequence[Cost],
    left_out: Sequence[LeftOut],
    notes: Sequence[str],
    made: dict[str, Any],
) -> dict[str, Any]:
    """Everything the report says, JSON-able; variants stand in the order of their rank.

    Args:
        notes: what else a reader must know.
        made: how it was measured: versions, device, date, command.
    """
    main = comparison.metrics[comparison.main]
    order = [standing.variant for standing in main.standings]
    labels = [variant.label for variant in variants]
    described = [_variant(variants[i], i, rank + 1, comparison, costs[i]) for rank, i in enumerate(order)]
    runs = [measured for variant in variants for measured in variant.runs]
    return _encodable({
        "format": FORMAT,
        "answer": answer(
            main.title,
            main.standings,
            labels,
            higher_is_better=main.higher_is_better,
            replicates=made["replicates"],
        ),
        "compared": {
            "size": comparison.size,
            "styles": comparison.styles,
            "characters": len({char for _, char in comparison.pairs}),
            "glyphs": len(comparison.pairs),
            "of_glyphs": max(len(run.truth) for run in runs),
        },
        "how_sure": how_sure(variants, comparison),
        "main": comparison.main,
        "metrics": {key: _metric(metric) for key, metric in comparison.metrics.items()},
        "variants": described,
        "curves": _curves([variants[i] for i in order], baseline=comparison.whole),
        "wall": sample_grid_chars(comparison.pairs),
        "config_differences": config_differences([variants[i] for i in order]),
        "left_out": [asdict(entry) for entry in left_out],
        "notes": [
            *_notes_on_choice(comparison, made["which"]),
            *collection.notes,
            *_notes_on_seeds(variants),
            *_notes_on_steps(variants),
            *_notes_of_runs(runs),
            *notes,
        ],
        "made": made,
    })  # fmt: skip


def _encodable(value: Any) -> Any:
    """Texts as every file and terminal takes them, at any depth."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(str(key)): _encodable(of) for key, of in value.items()}
    return [_encodable(each) for each in value] if isinstance(value, list | tuple) else value


def how_sure(variants: Sequence[MeasuredVariant], comparison: Comparison) -> list[str]:
    """What the answer rests on, and what it cannot say."""
    seeds = {variant.label: len(variant.runs) for variant in variants}
    styles = comparison.styles
    characters = len({char for _, char in comparison.pairs})
    fewest, most = min(seeds.values()), max(seeds.values())
    span = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    said = []
    if min(len(styles), fewest) < FEW:
        said.append(
            f"With {_count(len(styles), 'style')} and {span} seed{'s' * (most > 1)} a variant, these intervals are a rough guide "
            "and too narrow."
        )
    said.append(
        f"Every variant drew the same {len(comparison.pairs)} glyphs: {characters} held-out characters "
        f"in {_count(len(styles), 'style')}, at {comparison.size} px."
    )
    alone = [label for label, count in seeds.items() if count == 1]
    if len(alone) == len(seeds):
        said.append(
            "With one seed a variant, nothing can be said about how far luck in training moves these numbers; "
            "the intervals are about styles and characters alone."
        )
    elif alone:
        said.append(
            f"{say_list(alone)} {'has' if len(alone) == 1 else 'have'} one seed: "
            "how far luck in training moves them is not known, and their intervals are too narrow."
        )
    else:
        said.append(f"The intervals include luck in training as far as {span} seeds can show it.")
    if len(styles) == 1:
        said.append("With one style, nothing can be said about others.")
    main = comparison.metrics[comparison.main]
    if main.blank_wins:
        said.append(f"A blank page does better by {main.title} than a run here: rely on the other scores.")
    return said


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number > 1)}"


# -- variants -------------------------------------------------------------------------------


def _variant(variant: MeasuredVariant, place: int, rank: int, comparison: Comparison, cost: Cost) -> dict[str, Any]:
    compared = set(comparison.pairs)
    first = variant.runs[0]
    shown = {key: metric for key, metric in comparison.metrics.items() if metric.of == "glyph"}
    return {
        "rank": rank,
        "label": variant.label,
        "seeds": [measured.run.seed for measured in variant.runs],
        "runs": [
            _run(measured, {key: metric.of_runs[place][i] for key, metric in comparison.metrics.items()})
            for i, measured in enumerate(variant.runs)
        ],
        "scores": {key: _score(metric, place) for key, metric in comparison.metrics.items()},
        "cost": cost.as_dict(),
        "worst": [
            {"style": style, "char": char} | {key: entry.get(key) for key in shown}
            for (style, char), entry in first.glyphs.items()
            if (style, char) in compared
        ][:WORST_GLYPHS],
        "config": OmegaConf.to_yaml(first.run.config),
    }


def _run(measured: Measured, scores: dict[str, float | None]) -> dict[str, Any]:
    run = measured.run
    return {
        "folder": run.name,
        "seed": run.seed,
        "step": run.checkpoint.step,
        "last_step": run.last_step,
        "minutes": run.checkpoint.metadata.get("minutes"),
        "made_with": run.checkpoint.metadata.get("made_with"),
        "scores": scores,
    }


def _score(metric: ComparedMetric, place: int) -> dict[str, Any] | None:
    if metric.of_sets:
        known = metric.of_sets[place]
        return None if known is None else known._asdict()
    standing = next(standing for standing in metric.standings if standing.variant == place)
    behind = standing.behind
    return standing.score._asdict() | {
        "behind": None if behind is None else behind._asdict(),
        "best_in": standing.best_in,
        "level_with_winner": standing.level_with_winner,
    }


def _metric(metric: ComparedMetric) -> dict[str, Any]:
    return {
        "title": metric.title,
        "better": "higher" if metric.higher_is_better else "lower",
        "of": metric.of,
        "how": metric.how,
        "blank_wins": metric.blank_wins,
        "baselines": metric.baselines,
        "ceiling": metric.ceiling,
    }


def _notes_on_choice(comparison: Comparison, which: str) -> list[str]:
    """What flatters, and what is left out where the runs did not hold out the same glyphs."""
    notes = []
    if which == "best":
        notes.append(
            "Each run's checkpoint was chosen as the best on these very held-out glyphs (which=best), "
            "which flatters its scores; which=last does not."
        )
    if not comparison.whole:
        notes.append(
            "The runs did not hold out the same glyphs. Their scores are of the glyphs that all of them share; scores of "
            "whole sets, the baselines' and the true glyphs' are left out, and learning curves are of each run's own."
        )
    return notes


def _notes_on_seeds(variants: Sequence[MeasuredVariant]) -> list[str]:
    notes = []
    for variant in variants:
        by_seed: dict[int, list[str]] = {}
        for measured in variant.runs:
            by_seed.setdefault(measured.run.seed, []).append(measured.run.name)
        notes += [
            f"{variant.label}: {say_list(names)} have the same seed and config; they count as two seeds would."
            for names in by_seed.values()
            if len(names) > 1
        ]
    return notes


def _notes_on_steps(variants: Sequence[MeasuredVariant]) -> list[str]:
    steps = {variant.label: sorted({measured.run.last_step for measured in variant.runs}) for variant in variants}
    if len({step for each in steps.values() for step in each}) == 1:
        return []
    shown = ", ".join(f"{label} {' and '.join(map(str, each))}" for label, each in steps.items())
    return [f"Trained for different numbers of steps: {shown}."]


def _notes_of_runs(runs: Sequence[Measured]) -> list[str]:
    """What the evaluations noted, said once where several runs say the same."""
    by_note: dict[str, list[str]] = {}
    for measured in runs:
        for note in measured.evaluation.get("notes") or []:
            by_note.setdefault(str(note), []).append(measured.run.name)
    return [note if len(names) == len(runs) else f"{', '.join(names)}: {note}" for note, names in by_note.items()]


# -- curves, wall, configs ------------------------------------------------------------------


def _curves(variants: Sequence[MeasuredVariant], *, baseline: bool) -> dict[str, Any]:
    """Score -> what each run reached at each step, the mean over styles, and the best baseline."""
    runs = [measured.run for variant in variants for measured in variant.runs]
    return {
        score: {
            "variants": [
                {"label": variant.label, "runs": [_points(measured.run, score) for measured in variant.runs]}
                for variant in variants
            ],
            "baseline": _curve_baseline(runs, score) if baseline else None,
        }
        for score in CURVES
    }


def _points(run: TrainedRun, score: str) -> list[list[float]]:
    lines = [line for line in run.history if line["kind"] == "held_out"]
    return [[line["step"], value] for line in lines if (value := _over_styles(line, score)) is not None]


def _curve_baseline(runs: Sequence[TrainedRun], score: str) -> dict[str, Any] | None:
    prefix = "baseline/"
    found = {
        line["kind"].removeprefix(prefix): value
        for run in runs
        for line in run.history
        if line["kind"].startswith(prefix) and (value := _over_styles(line, score)) is not None
    }
    if not found:
        return None
    name = max(found, key=lambda key: found[key]) if score == "ssim" else min(found, key=lambda key: found[key])
    return {"name": BASELINE_NAMES.get(name, name), "value": found[name]}


def _over_styles(line: dict[str, Any], score: str) -> float | None:
    values = [style[score] for style in line["styles"].values() if isinstance(style.get(score), int | float)]
    return sum(values) / len(values) if values else None


def sample_grid_chars(pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """Style -> characters spread over those that were compared."""
    by_style: dict[str, list[str]] = {}
    for style, char in pairs:
        by_style.setdefault(style, []).append(char)
    count = max(1, min(WALL_CHARS, WALL_GLYPHS // len(by_style)))
    return {style: subsample_evenly(chars, count) for style, chars in by_style.items()}


def config_differences(variants: Sequence[MeasuredVariant]) -> dict[str, list[Any]]:
    """Dotted key -> its value in each variant, for keys that are not the same in all.

    The up-path's preset is named where all variants are presets, since its own keys say it in many lines.
    """
    configs = [variant.runs[0].run.config for variant in variants]
    changed = [differences(configs[0], config) for config in configs]
    keys = sorted({key for each in changed for key in each if tells_variants_apart(key)})
    found: dict[str, list[Any]] = {}
    if any(key.startswith("generator.up.") for key in keys):
        presets = {name: _preset(name) for name in choices("generator/up")}
        named = [_name_of(config, presets) for config in configs]
        if any(named):
            found["generator/up (preset)"] = named
    for key in keys:
        found[key] = [OmegaConf.select(config, key) for config in configs]
    return {
        key: [OmegaConf.to_container(v) if OmegaConf.is_config(v) else v for v in values]
        for key, values in found.items()
    }


def _preset(name: str) -> DictConfig | None:
    try:
        return compose_config("train", [f"generator/up={name}"])
    except ConfigError:
        return None  # one that does not go with the default network


def _name_of(config: DictConfig, presets: dict[str, DictConfig | None]) -> str | None:
    for name, preset in presets.items():
        if preset is not None and not any(
            key.startswith("generator.up.") for key in differences(_up(preset), _up(config))
        ):
            return name
    return None


def _up(config: DictConfig) -> DictConfig:
    """The up-path alone, in its place."""
    return OmegaConf.create({"generator": {"up": config.generator.up}})


# -- CSV ------------------------------------------------------------------------------------


def to_csv(content: dict[str, Any]) -> str:
    """One row a variant, the best first: scores with their intervals, then costs."""
    main = content["main"]
    rows = []
    for variant in content["variants"]:
        row: dict[str, Any] = {
            "rank": variant["rank"],
            "variant": variant["label"],
            "runs": len(variant["runs"]),
            "seeds": " ".join(map(str, variant["seeds"])),
            "best_in": variant["scores"][main]["best_in"],
        }
        for key in content["metrics"]:
            score = variant["scores"][key] or {}
            row |= _columns(key, score)
            if content["metrics"][key]["of"] == "glyph":
                row |= _columns(f"{key}_behind", score["behind"] or {})
        row |= {"parameters": variant["cost"]["parameters"], "flops": variant["cost"]["flops"]}
        for kind in ("training", "inference"):
            rate = variant["cost"][kind] or {}
            row[f"{kind}_glyphs_per_second"] = rate.get("glyphs_per_second")
            row[f"{kind}_share_of_fastest"] = rate.get("share")
        rows.append(row)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _columns(key: str, interval: dict[str, Any]) -> dict[str, Any]:
    return {key: interval.get("mean"), f"{key}_low": interval.get("low"), f"{key}_high": interval.get("high")}
