"""Trials of few-shot measurements as tables, and two of them compared on the same glyphs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from msgspec import Struct

from fontgan.errors import DataError
from fontgan.metrics.intervals import ClusterBootstrap, Interval
from fontgan.metrics.structure import MIN_CONFIDENCE
from fontgan.untrusted.plain_json import convert, read_json

SEED = 1  # of the bootstrap
BASELINES = {"blank_page": "a blank page", "copy_source": "the source", "mean_glyph": "the mean glyph", "nearest_glyph": "the nearest known glyph"}  # fmt: skip

Trials = Sequence[dict[str, Any]]
Statistic = Callable[[np.ndarray], float]


def read_trials(folder: Path) -> list[dict[str, Any]]:
    """What the trials in a folder of ``fontgan fewshot`` measured. Raises: DataError if there is nothing."""
    files = sorted(folder.glob("*/fewshot.json"))
    if not files:
        raise DataError(f"{folder}: holds no few-shot measurements. Name a folder that fontgan fewshot has written.")
    return [read_trial(file) for file in files]


class StoredTrial(Struct, frozen=True):
    """The schema of ``fewshot.json``, as far as tables read it."""

    font: str
    known: int
    seed: int
    minutes: float
    baselines: dict[str, dict[str, float | None]]
    glyphs: list[dict[str, float | str | None]]


def read_trial(file: Path) -> dict[str, Any]:
    """What one trial measured. Raises: DataError if the file is none of fontgan's."""
    try:
        found = read_json(file)
        convert(found, StoredTrial)
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: not a measurement of fontgan ({error}). Delete it, and it is made again.") from error
    return dict(found)


class Glyphs:
    """The values of all glyphs of some trials: name -> (N,), NaN where one was not measured."""

    def __init__(self, trials: Trials):
        lines = [(one, line) for one in trials for line in sorted(one["glyphs"], key=lambda line: str(line["char"]))]
        self.fonts = [str(one["font"]) for one, _ in lines]
        self.keys = [(one["font"], one["known"], one["seed"], line["char"]) for one, line in lines]

        def values(name: str) -> np.ndarray:
            found = (line.get(name) for _, line in lines)
            return np.array([np.nan if value is None else value for value in found], np.float64)

        self.l1, self.ssim, self.perceptual = values("l1"), values("ssim"), values("glyph_perceptual")
        self.blank_l1 = self.l1 / np.maximum(values("l1_per_ink"), 1e-9)  # of a blank page
        read, structure = values("recognition"), values("structure")
        self.read = np.where(np.isnan(read), np.nan, read > 0)
        self.flagged = np.where(np.isnan(structure), np.nan, structure < MIN_CONFIDENCE)
        self.keepable = np.array([not line["not_kept_for"] for _, line in lines], np.float64)
        self.contour = values("contour_within")
        self.moved_l1, self.moved_perceptual = values("moved_l1"), values("moved_glyph_perceptual")
        self.moved_keepable, self.moved_contour = values("moved_kept"), values("moved_contour_within")

    def statistics(self) -> dict[str, Statistic]:
        """Column -> its value for some rows."""

        def over_blank(values: np.ndarray) -> Statistic:
            return lambda rows: float(values[rows].sum() / self.blank_l1[rows].sum())

        def mean_of(values: np.ndarray) -> Statistic:
            return lambda rows: float(np.nanmean(values[rows])) if np.isfinite(values[rows]).any() else float("nan")

        means = {"SSIM": self.ssim, "encoder": self.perceptual, "read right": self.read}
        means |= {"keepable": self.keepable, "contour": self.contour, "flagged": self.flagged}
        of_moved = {"encoder": self.moved_perceptual, "keepable": self.moved_keepable, "contour": self.moved_contour}
        return {
            "L1 / blank": over_blank(self.l1),
            **{name: mean_of(values) for name, values in means.items()},
            "L1 / blank, moved": over_blank(self.moved_l1),
            **{f"{name}, moved": mean_of(values) for name, values in of_moved.items()},
        }


def table(trials: Trials, *, replicates: int) -> list[str]:
    """Lines of Markdown: for each number of known glyphs each font, and the mean over fonts with its 95 % interval."""
    columns = list(Glyphs(trials[:1]).statistics())
    lines = [f"| known | font | {' | '.join(columns)} | minutes |", "|---" * (len(columns) + 3) + "|"]
    for known in sorted({one["known"] for one in trials}):
        of = [one for one in trials if one["known"] == known]
        for font in dict.fromkeys(one["font"] for one in of):
            mine = [one for one in of if one["font"] == font]
            glyphs = Glyphs(mine)
            rows = np.arange(len(glyphs.fonts))
            cells = [_digits(statistic(rows)) for statistic in glyphs.statistics().values()]
            lines.append(f"| {known} | {font} | {' | '.join(cells)} | {mean(one['minutes'] for one in mine):.1f} |")
        glyphs = Glyphs(of)
        bootstrap = ClusterBootstrap(glyphs.fonts, replicates=replicates, seed=SEED)
        cells = [_say(bootstrap.with_interval(statistic)) for statistic in glyphs.statistics().values()]
        lines.append(f"| {known} | **mean** | {' | '.join(cells)} | {mean(one['minutes'] for one in of):.1f} |")
    return [*lines, "", *_say_baselines(trials)]


def _say_baselines(trials: Trials) -> list[str]:
    """What can be drawn without learning anything, over the fonts."""
    known = max(one["known"] for one in trials)
    of = [one["baselines"] for one in trials if one["known"] == known]
    lines = [f"Without learning ({known} known):", "", "| | L1 / blank | SSIM | read right |", "|---|---|---|---|"]
    for name, title in BASELINES.items():
        if all(name in one["l1"] for one in of):
            over = mean(one["l1"][name] / one["l1"]["blank_page"] for one in of)
            ssim = mean(one["ssim"][name] for one in of)
            read = [one["recognition"][name] for one in of if one.get("recognition", {}).get(name) is not None]
            lines.append(f"| {title} | {over:.3f} | {ssim:.3f} | {f'{mean(read):.3f}' if read else '-'} |")
    return lines


def compare(ours: Trials, theirs: Trials, name: str, *, replicates: int) -> list[str]:
    """Lines of Markdown: our values less theirs on the glyphs of both, with the 95 % interval of the paired difference."""
    a, b = Glyphs(ours), Glyphs(theirs)
    columns = list(a.statistics())
    lines = [f"Difference to {name} (95 % interval of paired differences):", ""]
    lines += [f"| known | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for known in sorted({one["known"] for one in ours} & {one["known"] for one in theirs}):
        place_a, place_b = ({key: place for place, key in enumerate(of.keys) if key[1] == known} for of in (a, b))
        shared = [key for key in place_a if key in place_b]
        if not shared:
            continue
        rows_a, rows_b = (np.array([places[key] for key in shared]) for places in (place_a, place_b))
        bootstrap = ClusterBootstrap([key[0] for key in shared], replicates=replicates, seed=SEED)
        cells = []
        for mine, their in zip(a.statistics().values(), b.statistics().values(), strict=True):
            difference = _difference(mine, their, rows_a, rows_b)
            cells.append(_say(bootstrap.with_interval(difference), signed=True))
        lines.append(f"| {known} | {' | '.join(cells)} |")
    return lines


def _difference(mine: Statistic, their: Statistic, rows_a: np.ndarray, rows_b: np.ndarray) -> Statistic:
    return lambda rows: mine(rows_a[rows]) - their(rows_b[rows])


def _digits(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "-"


def _say(found: Interval, *, signed: bool = False) -> str:
    if not np.isfinite(found.mean):
        return "-"
    form = "{:+.3f}" if signed else "{:.3f}"
    return f"**{form.format(found.mean)}** ({form.format(found.low)} to {form.format(found.high)})"
