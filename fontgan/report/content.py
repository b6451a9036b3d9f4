"""What a report says, as plain numbers and words: the page, the CSV and the JSON are all made from this."""

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from omegaconf import OmegaConf

from fontgan.config.compose import up_preset
from fontgan.config.groups import choices
from fontgan.config.saved import differences
from fontgan.errors import ConfigError, encodable
from fontgan.evaluation.glyph_set import Pair
from fontgan.report.collect import Collection, LeftOut, TrainedRun, Variant, tells_variants_apart
from fontgan.report.cost import Cost
from fontgan.report.measure import ComparedMetric, Comparison
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
    "nearest_glyph": "the nearest training glyph",
}


def content_of(
    collection: Collection,
    variants: Sequence[Variant],
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
    ranked = [variants[i] for i in order]
    labels = [variant.label for variant in variants]
    runs = [run for variant in variants for run in variant.runs]
    title, higher = main.about["title"], main.about["better"] == "higher"
    return _encodable({
        "format": FORMAT,
        "answer": answer(title, main.standings, labels, higher_is_better=higher, replicates=made["replicates"]),
        "compared": {
            "size": comparison.size,
            "styles": comparison.styles,
            "characters": len({char for _, char in comparison.pairs}),
            "glyphs": len(comparison.pairs),
            "of_glyphs": max(len(run.truth) for run in runs),
        },
        "how_sure": how_sure(variants, comparison),
        "main": comparison.main,
        "metrics": {key: metric.about for key, metric in comparison.metrics.items()},
        "variants": [_variant(variants[i], i, rank, comparison, costs[i]) for rank, i in enumerate(order, 1)],
        "curves": {score: _curves(ranked, score, baseline=comparison.whole) for score in CURVES},
        "wall": sample_grid_chars(comparison.pairs),
        "config_differences": config_differences(ranked),
        "left_out": [entry._asdict() for entry in left_out],
        "notes": [
            *_notes_on_choice(comparison, made["which"]),
            *collection.notes,
            *_notes_on_training(variants),
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


def how_sure(variants: Sequence[Variant], comparison: Comparison) -> list[str]:
    """What the answer rests on, and what it cannot say."""
    seeds = {variant.label: len(variant.runs) for variant in variants}
    main, count = comparison.metrics[comparison.main].about, len(comparison.styles)
    styles = "1 style" if count == 1 else f"{count} styles"
    characters = len({char for _, char in comparison.pairs})
    fewest, most = min(seeds.values()), max(seeds.values())
    span = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    alone = [label for label, count in seeds.items() if count == 1]
    if len(alone) == len(seeds):
        of_luck = (
            "With one seed a variant, nothing can be said about how far luck in training moves these numbers; "
            "the intervals are about styles and characters alone."
        )
    elif alone:
        of_luck = (
            f"{say_list(alone)} {'has' if len(alone) == 1 else 'have'} one seed: "
            "how far luck in training moves them is not known, and their intervals are too narrow."
        )
    else:
        of_luck = f"The intervals include luck in training as far as {span} seeds can show it."
    said = [
        f"Every variant drew the same {len(comparison.pairs)} glyphs: {characters} held-out characters in {styles}, "
        f"at {comparison.size} px.",
        of_luck,
    ]
    if min(count, fewest) < FEW:
        seeded = f"{styles} and {span} seed{'s' * (most > 1)} a variant"
        said.insert(0, f"With {seeded}, these intervals are a rough guide and too narrow.")
    if count == 1:
        said.append("With one style, nothing can be said about others.")
    if main["blank_wins"]:
        said.append(f"A blank page does better by {main['title']} than a run here: rely on the other scores.")
    return said


# -- variants -------------------------------------------------------------------------------


def _variant(variant: Variant, place: int, rank: int, comparison: Comparison, cost: Cost) -> dict[str, Any]:
    compared, metrics = set(comparison.pairs), comparison.metrics
    shown = [key for key, metric in metrics.items() if metric.about["of"] == "glyph"]
    worst = [(pair, entry) for pair, entry in variant.runs[0].glyphs.items() if pair in compared][:WORST_GLYPHS]
    return {
        "rank": rank,
        "label": variant.label,
        "seeds": [run.seed for run in variant.runs],
        "runs": [
            {
                "folder": run.name,
                "seed": run.seed,
                "step": run.checkpoint.step,
                "last_step": run.last_step,
                "minutes": run.checkpoint.metadata.get("minutes"),
                "made_with": run.checkpoint.metadata.get("made_with"),
                "scores": {key: metric.of_runs[place][i] for key, metric in metrics.items()},
            }
            for i, run in enumerate(variant.runs)
        ],
        "scores": {key: _score(metric, place) for key, metric in metrics.items()},
        "cost": asdict(cost),
        "worst": [
            {"style": style, "char": char} | {key: entry.get(key) for key in shown} for (style, char), entry in worst
        ],
        "config": OmegaConf.to_yaml(variant.runs[0].config),
    }


def _score(metric: ComparedMetric, place: int) -> dict[str, Any] | None:
    if metric.of_sets:
        known = metric.of_sets[place]
        return known and known._asdict()
    standing = next(standing for standing in metric.standings if standing.variant == place)
    return standing.score._asdict() | {
        "behind": standing.behind and standing.behind._asdict(),
        "best_in": standing.best_in,
        "level_with_winner": standing.level_with_winner,
    }


def _notes_on_choice(comparison: Comparison, which: str) -> list[str]:
    """What flatters, and what is left out where the runs did not hold out the same glyphs."""
    flatters = (
        "Each run's checkpoint was chosen as the best on these very held-out glyphs (which=best), "
        "which flatters its scores; which=last does not."
    )
    left_out = (
        "The runs did not hold out the same glyphs. Their scores are of the glyphs that all of them share; scores of "
        "whole sets, the baselines' and the true glyphs' are left out, and learning curves are of each run's own."
    )
    return [flatters] * (which == "best") + [left_out] * (not comparison.whole)


def _notes_on_training(variants: Sequence[Variant]) -> list[str]:
    """Runs of one variant that are of the same seed, and numbers of steps that are not those of all."""
    notes = []
    for variant in variants:
        for seed in dict.fromkeys(run.seed for run in variant.runs):
            names = [run.name for run in variant.runs if run.seed == seed]
            if len(names) > 1:
                notes.append(
                    f"{variant.label}: {say_list(names)} have the same seed and config; they count as two seeds would."
                )
    steps = {variant.label: sorted({run.last_step for run in variant.runs}) for variant in variants}
    if len({step for each in steps.values() for step in each}) > 1:
        shown = ", ".join(f"{label} {' and '.join(map(str, each))}" for label, each in steps.items())
        notes.append(f"Trained for different numbers of steps: {shown}.")
    return notes


def _notes_of_runs(runs: Sequence[TrainedRun]) -> list[str]:
    """What the evaluations noted, said once where several runs say the same."""
    by_note: dict[str, list[str]] = {}
    for run in runs:
        for note in run.evaluation["notes"]:
            by_note.setdefault(note, []).append(run.name)
    return [note if len(names) == len(runs) else f"{', '.join(names)}: {note}" for note, names in by_note.items()]


# -- curves, wall, configs ------------------------------------------------------------------


def _curves(variants: Sequence[Variant], score: str, *, baseline: bool) -> dict[str, Any]:
    """What each run reached at each step, the mean over styles, and the best baseline."""
    prefix = "baseline/"
    reached: list[dict[str, Any]] = []
    baselines: dict[str, float] = {}
    for variant in variants:
        of_runs = []
        for run in variant.runs:
            known = [(line, value) for line in run.history if (value := _over_styles(line, score)) is not None]
            of_runs.append([[line["step"], value] for line, value in known if line["kind"] == "held_out"])
            baselines |= {line["kind"]: value for line, value in known if line["kind"].startswith(prefix)}
        reached.append({"label": variant.label, "runs": of_runs})
    best = None
    if baseline and baselines:
        kind = (max if score == "ssim" else min)(baselines, key=lambda kind: baselines[kind])
        name = kind.removeprefix(prefix)
        best = {"name": BASELINE_NAMES.get(name, name), "value": baselines[kind]}
    return {"variants": reached, "baseline": best}


def _over_styles(line: dict[str, Any], score: str) -> float | None:
    values = [style[score] for style in line["styles"].values() if score in style]
    return sum(values) / len(values) if values else None


def sample_grid_chars(pairs: Sequence[Pair]) -> dict[str, list[str]]:
    """Style -> characters spread over those that were compared."""
    by_style: dict[str, list[str]] = {}
    for style, char in pairs:
        by_style.setdefault(style, []).append(char)
    count = max(1, min(WALL_CHARS, WALL_GLYPHS // len(by_style)))
    return {style: subsample_evenly(chars, count) for style, chars in by_style.items()}


def config_differences(variants: Sequence[Variant]) -> dict[str, list[Any]]:
    """Dotted key -> its value in each variant, for keys that are not the same in all.

    The up-path's preset is named where all variants are presets, since its own keys say it in many lines.
    """
    configs = [variant.runs[0].config for variant in variants]
    changed = {key for config in configs for key in differences(configs[0], config)}
    keys = sorted(filter(tells_variants_apart, changed))
    found: dict[str, list[Any]] = {}
    if any(key.startswith("generator.up.") for key in keys):
        presets = {}
        for name in choices("generator/up"):
            with suppress(ConfigError):  # a file of the user's that cannot be composed is no preset of these runs
                presets[name] = up_preset(name)
        ups = [config.generator.up for config in configs]
        named = [next((name for name, preset in presets.items() if not differences(preset, up)), None) for up in ups]
        if any(named):
            found["generator/up (preset)"] = named
    for key in keys:
        values = [OmegaConf.select(config, key) for config in configs]
        found[key] = [OmegaConf.to_container(value) if OmegaConf.is_config(value) else value for value in values]
    return found


# -- CSV ------------------------------------------------------------------------------------


def to_csv(content: dict[str, Any]) -> str:
    """One row a variant, the best first: scores with their intervals, then costs."""
    parts = (("", "mean"), ("_low", "low"), ("_high", "high"))
    rates = (("glyphs_per_second", "glyphs_per_second"), ("share_of_fastest", "share"))
    rows = []
    for variant in content["variants"]:
        scores, cost = variant["scores"], variant["cost"]
        intervals = {}
        for key, metric in content["metrics"].items():
            intervals[key] = scores[key]
            if metric["of"] == "glyph":
                intervals[f"{key}_behind"] = scores[key]["behind"]
        rows.append({
            "rank": variant["rank"],
            "variant": variant["label"],
            "runs": len(variant["runs"]),
            "seeds": " ".join(map(str, variant["seeds"])),
            "best_in": scores[content["main"]]["best_in"],
            **{f"{key}{end}": (each or {}).get(part) for key, each in intervals.items() for end, part in parts},
            "parameters": cost["parameters"],
            "flops": cost["flops"],
            **{f"{k}_{name}": (cost[k] or {}).get(part) for k in ("training", "inference") for name, part in rates},
        })  # fmt: skip
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()
