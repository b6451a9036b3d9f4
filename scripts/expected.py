"""Makes of few-shot measurements the table by which fontgan complete says what to expect: fontgan/assets/base/expected.csv.

    python scripts/expected.py TABLE FEWSHOT...

TABLE is the file to write, FEWSHOT are folders that fontgan fewshot has written, of fonts that nobody trained on, with the settings that come by
themselves.  The table is also printed, for docs/guide/how-many-glyphs.md: the encoder's distance, and what was read right.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fontgan.cli import not_installed  # noqa: E402

try:
    import numpy as np
    import torch
    from omegaconf import OmegaConf
    from tqdm import tqdm

    from fontgan.complete.draw import GATE_GLYPHS, GATE_SEED
    from fontgan.complete.expect import Measured, distance_untrained
    from fontgan.complete.untrained import open_untrained
    from fontgan.config.instantiate import source_spec, target_specs
    from fontgan.data.glyphs import GlyphSource
    from fontgan.data.sources import Spec, open_glyphs
    from fontgan.errors import DataError, UserError
    from fontgan.evaluation.fewshot_table import Glyphs, read_trials
    from fontgan.evaluation.glyph_checks import fit_stroke_check
    from fontgan.generate.inference import load
    from fontgan.metrics.structure import MIN_CONFIDENCE
    from fontgan.runtime.files import atomic_write, user_path
    from fontgan.runtime.subsample import subsample_evenly
    from fontgan.training.nearest_style import COMPARED
except ModuleNotFoundError as error:
    sys.exit(f"scripts/expected.py: {not_installed(error)}")

DIGITS = 4


class Fonts(NamedTuple):
    """What a trial learned from."""

    target: GlyphSource
    source: GlyphSource
    specs: tuple[str, Spec]
    known: list[str]
    drawn: list[str]


def fonts_of(folder: Path, font: str) -> Fonts:
    config: Any = OmegaConf.load(folder / "run" / "config.yaml")
    target = target_specs(config)[font]
    source = target.source or source_spec(config.data.source, "data.source")
    if source is None:
        raise DataError(f"{folder}: does not say what it was drawn from. Measure it again.")
    drawn = list(config.data.holdout_chars)
    known = [char for char in config.data.charset if char not in set(drawn)]
    return Fonts(open_glyphs(target.spec), open_glyphs(source), (target.spec, source), known, drawn)


def failed_share(folder: Path, fonts: Fonts) -> float:
    """Share of the glyphs that a trial draws which the check of strokes of fontgan complete sends back."""
    run = load(folder / "run", which="last", device="cpu", precision="auto")
    (style,), learned = run.styles[-1:], subsample_evenly(fonts.known, GATE_GLYPHS)
    canvas = run.placement(style).canvas
    true = np.stack([fonts.target.rasterize(char, canvas, run.size) for char in learned])
    strokes = fit_stroke_check(run.inputs(fonts.source, learned, style), true, seed=GATE_SEED)
    inputs = run.inputs(fonts.source, fonts.drawn, style)
    drawn = run.stylise(inputs, style, view=run.view(style, extent="canvas"))
    return float((strokes.confidence(inputs, drawn) < MIN_CONFIDENCE).mean())


def measured(out: Path) -> list[tuple[Measured, float]]:
    """What each trial gave, and the encoder's distance of its glyphs to the true ones."""
    found: list[tuple[Measured, float]] = []
    untrained: dict[str, float] = {}
    for trial in tqdm(sorted(read_trials(out), key=lambda one: (one["font"], -one["known"])), desc=out.name):
        font, known = trial["font"], trial["known"]
        folder = out / f"{font}-{known}-seed{trial['seed']}"
        fonts, glyphs = fonts_of(folder, font), Glyphs([trial])
        if font not in untrained:  # on the glyphs of the most that were known
            some = subsample_evenly(fonts.known, COMPARED)
            base, _ = open_untrained(*fonts.specs, some, device="cpu", precision="fp32")
            untrained[font] = round(distance_untrained(base, *fonts.specs, some), DIGITS)
        read, failed = float(np.nanmean(glyphs.read)), failed_share(folder, fonts)
        row = Measured(font, untrained[font], known, round(read, DIGITS), round(failed, DIGITS))
        found.append((row, float(glyphs.perceptual.mean())))
    return found


def main(arguments: list[str]) -> None:
    if len(arguments) < 2 or arguments[0].startswith("-"):
        sys.exit(__doc__)
    table, *folders = map(user_path, arguments)
    torch.set_num_threads(1)
    try:
        found = [one for folder in folders for one in measured(folder)]
    except UserError as error:
        sys.exit(f"scripts/expected.py: {error}")
    found.sort(key=lambda one: (one[0].untrained, one[0].known))
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(Measured._fields)
    lines.writerows(row for row, _ in found)
    atomic_write(table, text.getvalue())
    counts = sorted({row.known for row, _ in found})
    print("| hand | base alone |", " | ".join(f"{count:,}" for count in counts), "|")
    print("|---|" + "---|" * (1 + len(counts)))
    for font in dict.fromkeys(row.font for row, _ in found):
        own = {row.known: (row, distance) for row, distance in found if row.font == font}
        cells = [
            f"{own[count][1]:.3f}, {own[count][0].read:.1%}, {own[count][0].failed:.0%}" if count in own else ""
            for count in counts
        ]
        untrained = next(iter(own.values()))[0].untrained
        print(f"| {font} | {untrained:.3f} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main(sys.argv[1:])
