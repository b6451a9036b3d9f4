"""fontgan evaluate: measure a run on its held-out characters, or a folder of glyphs against the true ones."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from fontgan import __version__
from fontgan.errors import ConfigError
from fontgan.evaluation.evaluate import evaluate
from fontgan.evaluation.folder_pairs import glyph_set_of_folders
from fontgan.evaluation.glyph_set import GlyphSet, glyph_set_of_run
from fontgan.metrics.recognition import find_ocr
from fontgan.metrics.structure import MIN_CONFIDENCE
from fontgan.pictures.contact_sheet import contact_sheet, save_png
from fontgan.runtime.files import atomic_write, user_path
from fontgan.runtime.log_setup import say

log = logging.getLogger(__name__)

SHEET_GLYPHS = 14  # of each style
WORST_NAMED = 12


def main(cfg: DictConfig) -> int:
    """Prints the table, and writes ``out`` and ``sheet`` if they are given. Returns: exit code."""
    check_settings(cfg)
    find_ocr(cfg.ocr)  # refused before anything is drawn
    if cfg.run is not None:
        glyphs = glyph_set_of_run(
            user_path(cfg.run),
            which=cfg.which,
            batch_size=cfg.batch_size,
            device=cfg.device,
            precision=cfg.precision,
            seed=cfg.seed,
        )
    else:
        glyphs = glyph_set_of_folders(user_path(cfg.pred), user_path(cfg.truth), cfg.source, seed=cfg.seed)
    found = evaluate(glyphs, ocr=cfg.ocr, replicates=cfg.replicates, seed=cfg.seed)
    say(table(found))
    if cfg.out is not None:
        measured = {key: cfg[key] for key in ("run", "which", "pred", "truth", "source", "replicates", "seed")}
        atomic_write(
            user_path(cfg.out),
            json.dumps({"fontgan": __version__, "measured": measured, **found}, ensure_ascii=False, indent=1) + "\n",
        )
        log.info("every number, of every glyph too: %s", cfg.out)
    if cfg.sheet is not None:
        save_png(worst_sheet(glyphs, found["glyphs"]), user_path(cfg.sheet))
        log.info("the most doubtful glyphs: %s", cfg.sheet)
    return 0


def check_settings(cfg: DictConfig) -> None:
    """Raises: ConfigError where it is not clear what to measure, or a number is out of range."""
    folders = cfg.pred is not None or cfg.truth is not None
    if cfg.run is not None and (folders or cfg.source is not None):
        raise ConfigError("run and pred/truth/source: measure either a run or two folders. Leave one of them out.")
    if cfg.run is not None and not user_path(cfg.run).is_dir():
        raise ConfigError(f"run={cfg.run}: no such folder. Give a run's folder, such as runs/quickstart.")
    if cfg.run is None and (cfg.pred is None or cfg.truth is None):
        raise ConfigError("evaluate: needs run=RUN, or both pred=DIR and truth=DIR; see fontgan evaluate --help.")
    for key, lowest in (("replicates", 1), ("batch_size", 1), ("seed", 0)):
        if cfg[key] < lowest:
            raise ConfigError(f"{key}={cfg[key]}: {lowest} or more is needed.")
    for key, ending in (("out", ".json"), ("sheet", ".png")):
        if cfg[key] is not None and Path(cfg[key]).suffix.lower() != ending:
            raise ConfigError(f"{key}={cfg[key]}: name a {ending} file.")
        if cfg[key] is not None and not user_path(cfg[key]).absolute().parent.is_dir():
            raise ConfigError(f"{key}={cfg[key]}: its folder does not exist. Make it, or name another file.")


def table(found: dict[str, Any]) -> str:
    """The result as people read it: metrics, what to know about them, the seen/unseen matrix, the worst glyphs."""
    styles = found["styles"] if len(found["styles"]) > 1 else []
    header = ["metric", "", "mean", "95 % interval", *styles, "best baseline"]
    rows = [header]
    for name, metric in found["metrics"].items():
        best = _best_baseline(metric)
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


def _best_baseline(metric: dict[str, Any]) -> str:
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
