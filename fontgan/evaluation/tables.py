"""The result of an evaluation as people read it: the table, and a sheet of the worst glyphs."""

from collections import Counter
from typing import Any

from fontgan.evaluation.glyph_set import GlyphSet
from fontgan.metrics.keepable import REASONS
from fontgan.metrics.structure import MIN_CONFIDENCE
from fontgan.pictures.contact_sheet import contact_sheet

SHEET_GLYPHS = 14  # of each style
WORST_NAMED = 12


def digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"


def columns(rows: list[list[str]]) -> list[str]:
    """Lines whose cells lie below each other."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def table(found: dict[str, Any]) -> str:
    """The result as people read it: metrics, what to know about them, the seen/unseen matrix, the worst glyphs."""
    styles = found["styles"] if len(found["styles"]) > 1 else []
    rows = [["metric", "", "mean", "95 % interval", *styles, "best baseline"]]
    for name, metric in found["metrics"].items():
        sign = "(-)" if metric["better"] == "lower" else "(+)"
        interval = f"{digits(metric['low'])} to {digits(metric['high'])}"
        by_style = [digits(metric["styles"][style]["mean"]) for style in styles]
        best = _say_best_baseline(metric) + ("  ! a blank page wins" if metric["blank_wins"] else "")
        rows.append([metric["title"], sign, digits(metric["mean"]), interval, *by_style, best])
        if name == "recognition":
            blank = [""] * (len(styles) + 1)
            shares = (metric["accuracy"], metric["ceiling_accuracy"])
            right, ceiling = ("-" if share is None else f"{share:.1%}" for share in shares)
            rows.append(["  of the true glyphs", "", digits(metric["ceiling"]), "", *blank])
            rows.append(["  read right", "", right, f"true glyphs: {ceiling}", *blank])
    head = f"{found['count']} glyphs of {found['size']} px; (-) lower is better, (+) higher is better"
    lines = [head, *columns(rows), *_say_matrix(found["matrix"])]
    for style, gate in found["structure"].items():
        caught = f"{gate['missing_caught']:.0%} with a component lost, {gate['wrong_caught']:.0%} of wrong characters"
        flagged = f"on {gate['glyphs']} true glyphs: flags {gate['right_flagged']:.0%} of them"
        lines.append(f"structure of {style}, {flagged}, catches {caught}")
    known = (line for line in found["glyphs"] if line.get("structure") is not None)
    doubtful = [line for line in known if line["structure"] < MIN_CONFIDENCE]
    if doubtful:
        named = " ".join(f"{line['style']}:{line['char']} {line['structure']:.2f}" for line in doubtful[:WORST_NAMED])
        lines.append(f"{len(doubtful)} doubtful glyphs (structure below {MIN_CONFIDENCE}), the worst first: {named}")
    return "\n".join([*lines, *_say_not_kept(found["glyphs"]), *found["notes"]])


def _say_not_kept(lines: list[dict[str, Any]]) -> list[str]:
    """How many glyphs a designer would not keep, and why; one may have several reasons."""
    reasons = [line["not_kept_for"].split() for line in lines if line["not_kept_for"]]
    counts = Counter(reason for each in reasons for reason in each)
    listed = ", ".join(f"{reason} {counts[reason]}" for reason in REASONS if counts[reason])
    return [f"{len(reasons)} of {len(lines)} glyphs are not keepable: {listed}"] if reasons else []


def _say_matrix(matrix: dict[str, Any] | None) -> list[str]:
    if matrix is None:
        return []
    parts = [
        f"{cell['characters'].replace('_', '-')} characters L1 {digits(cell['l1'])}, SSIM {digits(cell['ssim'])}, "
        f"glyph perceptual {digits(cell['glyph_perceptual'])}"
        for cell in matrix["cells"]
    ]
    return ["seen and unseen, trained styles: " + "; ".join(parts), f"unseen styles: {matrix['unseen_styles']}"]


def _say_best_baseline(metric: dict[str, Any]) -> str:
    there = {name: value for name, value in metric["baselines"].items() if value is not None}
    pick = min if metric["better"] == "lower" else max
    best = pick(there, key=there.__getitem__, default="-")
    return f"{digits(there[best])} {best.replace('_', ' ')}" if there else best


def worst_sheet(glyphs: GlyphSet, lines: list[dict[str, Any]]) -> Any:
    """The most doubtful glyphs of each style: source (where it is known), drawn, true."""
    place = {pair: row for row, pair in enumerate(glyphs.names)}
    sets = {"source": glyphs.source, "drawn": glyphs.drawn, "true": glyphs.truth}
    rows = []
    for style in glyphs.styles:
        worst = [place[style, line["char"]] for line in lines if line["style"] == style][:SHEET_GLYPHS]
        rows += [(f"{style} {kind}", list(of[worst])) for kind, of in sets.items() if of is not None]
    return contact_sheet(rows)
