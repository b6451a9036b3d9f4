"""The result of an evaluation as people read it: the table, and a sheet of the worst glyphs."""

from __future__ import annotations

from typing import Any

import numpy as np

from fontgan.evaluation.glyph_set import GlyphSet
from fontgan.metrics.structure import MIN_CONFIDENCE
from fontgan.pictures.contact_sheet import contact_sheet

SHEET_GLYPHS = 14  # of each style
WORST_NAMED = 12


def table(found: dict[str, Any]) -> str:
    """The result as people read it: metrics, what to know about them, the seen/unseen matrix, the worst glyphs."""
    styles = found["styles"] if len(found["styles"]) > 1 else []
    header = ["metric", "", "mean", "95 % interval", *styles, "best baseline"]
    rows = [header]
    for name, metric in found["metrics"].items():
        best = _say_best_baseline(metric)
        rows.append(
            [
                metric["title"],
                "(-)" if metric["better"] == "lower" else "(+)",
                _digits(metric["mean"]),
                f"{_digits(metric['low'])} to {_digits(metric['high'])}",
                *(_digits(metric["styles"][style]["mean"]) for style in styles),
                best + ("  ! a blank page wins" if metric["blank_wins"] else ""),
            ]
        )
        if name == "recognition":
            blank = ["" for _ in styles]
            rows.append(["  of the true glyphs", "", _digits(metric["ceiling"]), "", *blank, ""])
            right = f"{metric['accuracy']:.1%}" if metric["accuracy"] is not None else "-"
            ceiling = f"{metric['ceiling_accuracy']:.1%}" if metric["ceiling_accuracy"] is not None else "-"
            rows.append(["  read right", "", right, f"true glyphs: {ceiling}", *blank, ""])
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = [f"{found['count']} glyphs of {found['size']} px; (-) lower is better, (+) higher is better"]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += _say_matrix(found["matrix"])
    for style, calibration in found["structure"].items():
        lines.append(
            f"structure of {style}, on {calibration['glyphs']} true glyphs: flags {calibration['right_flagged']:.0%} of them, "
            f"catches {calibration['missing_caught']:.0%} with a component lost, {calibration['wrong_caught']:.0%} of wrong characters"
        )
    doubtful = [
        line for line in found["glyphs"] if line.get("structure") is not None and line["structure"] < MIN_CONFIDENCE
    ]
    if doubtful:
        named = " ".join(f"{line['style']}:{line['char']} {line['structure']:.2f}" for line in doubtful[:WORST_NAMED])
        lines.append(f"{len(doubtful)} doubtful glyphs (structure below {MIN_CONFIDENCE}), the worst first: {named}")
    return "\n".join([*lines, *found["notes"]])


def _say_matrix(matrix: dict[str, Any] | None) -> list[str]:
    if matrix is None:
        return []
    parts = [
        f"{cell['characters'].replace('_', '-')} characters L1 {_digits(cell['l1'])}, SSIM {_digits(cell['ssim'])}, "
        f"glyph perceptual {_digits(cell['glyph_perceptual'])}"
        for cell in matrix["cells"]
    ]
    return ["seen and unseen, trained styles: " + "; ".join(parts), f"unseen styles: {matrix['unseen_styles']}"]


def _say_best_baseline(metric: dict[str, Any]) -> str:
    there = {name: value for name, value in metric["baselines"].items() if value is not None}
    if not there:
        return "-"
    best = (min if metric["better"] == "lower" else max)(there, key=lambda name: there[name])
    return f"{_digits(there[best])} {best.replace('_', ' ')}"


def _digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"


def worst_sheet(glyphs: GlyphSet, lines: list[dict[str, Any]]) -> Any:
    """The most doubtful glyphs of each style: source (where it is known), drawn, true."""
    place = {pair: row for row, pair in enumerate(glyphs.names)}
    sets: dict[str, np.ndarray] = {} if glyphs.source is None else {"source": glyphs.source}
    sets |= {"drawn": glyphs.drawn, "true": glyphs.truth}
    rows = []
    for style in glyphs.styles:
        worst = [place[style, line["char"]] for line in lines if line["style"] == style][:SHEET_GLYPHS]
        rows += [(f"{style} {kind}", [images[row] for row in worst]) for kind, images in sets.items()]
    return contact_sheet(rows)
