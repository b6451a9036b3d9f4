"""A diagnosis as people read it: tables of scores and stages, and findings with what to try."""

from __future__ import annotations

import math
from typing import Any

from omegaconf import DictConfig

from fontgan.evaluation.diagnose import jump, largest_jump, no_reading

# From here on an artefact is spoken of: about what a reader of the picture begins to see.  The excess over what copying
# the source gives, which has wrong shapes and no artefacts.
TELLING = {"checkerboard_phase": 0.01, "checkerboard_nyquist": 0.5, "staircase": 0.05, "grey_edge": 0.5, "shift": 0.1}
# Of the ink, over the square root of how many glyphs are taken as one: what one font drawn in place of another, of the
# same characters at 64 px, exceeds in one draw of twenty (measured for 1 to 96 glyphs: 0.10 to 0.13).
CHANCE = 0.11
STAGE_TELLING = (
    0.3  # standard deviations of a channel: encoder features, which vary more than glyphs, give 0.1 by chance
)


# -- tables ---------------------------------------------------------------------------------


def score_table(found: dict[str, Any]) -> str:
    """The scores of the drawn glyphs beside those of their sources, and the phase bias on plain inputs."""
    styles = found["styles"] if len(found["styles"]) > 1 else []
    rows = [["score", "", "drawn", *styles, "copy source", "worst glyph"]]
    for score in found["scores"].values():
        worst = score["worst"][0]
        rows.append(
            [
                score["title"],
                score["unit"],
                _digits(score["mean"]),
                *(_digits(score["styles"][style]) for style in styles),
                _digits(score["copy_source"]),
                f"{worst['style']}:{worst['char']} {_digits(worst['value'])}",
            ]
        )
        if "together" in score:
            drawn, source = (_digits(score["together"][kind]) for kind in ("drawn", "copy_source"))
            rows.append(["  all glyphs as one", "", drawn, *("" for _ in styles), source, ""])
    plain = ", ".join(
        f"{name.replace('_', ' ')} {_digits(max(by_style.values()))}" for name, by_style in found["smooth"].items()
    )
    head = (
        f"{found['count']} held-out glyphs of {found['size']} px, step {found['step']}; "
        "0 is like the truth, more is worse"
    )
    return "\n".join([head, *_columns(rows), f"phase bias of the logits on plain inputs, of the worst style: {plain}"])


def stage_table(found: dict[str, Any]) -> str:
    """Every stage of the decoder with its readings, and by how much it raised them."""
    rows = [["stage", "map", "true glyphs", "by place", "jump", "by frequency", "jump", "smooth inputs"]]
    for stage in found["stages"]:
        rows.append(
            [
                _name(stage),
                f"{stage['side']} px",
                _digits(stage["truth_by_place"]),
                *_reading(stage, "by_place"),
                *_reading(stage, "by_frequency"),
                _told(stage, "smooth"),
            ]
        )
    legend = "(-: map too small to say; dead: the same everywhere; true glyphs: by place, brought to that size)"
    return "\n".join([*_columns(rows), legend])


def _columns(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _reading(stage: dict[str, Any], reading: str) -> list[str]:
    return [_told(stage, reading), "" if stage[reading] is None else f"{jump(stage, reading):+.3f}"]


def _told(stage: dict[str, Any], reading: str) -> str:
    return "dead" if stage[reading] is None and no_reading(stage) == "dead" else _digits(stage[reading])


def _name(stage: dict[str, Any]) -> str:
    return f"level {stage['level']}, {stage['part']} ({stage['kind']})"


def _digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


# -- words ----------------------------------------------------------------------------------


def findings(found: dict[str, Any], config: DictConfig) -> list[str]:
    """What the numbers say and what to try, in sentences; of each artefact that is there, or that none is."""
    excess = {name: score["mean"] - max(score["copy_source"] or 0.0, 0.0) for name, score in found["scores"].items()}
    together = found["scores"]["checkerboard_phase"]["together"]
    excess["checkerboard_phase"] = together["drawn"] - together["copy_source"]
    by_chance = {"checkerboard_phase": CHANCE / math.sqrt(found["count"])}
    there = {name for name, value in excess.items() if value > max(TELLING[name], by_chance.get(name, 0.0))}
    sentences = []
    if there & {"checkerboard_phase", "checkerboard_nyquist"}:
        sentences.append(_checkerboard(found, excess, there, config))
    sentences += _deepest(found)
    if "staircase" in there:
        sentences.append(
            f"staircase: outlines turn {excess['staircase']:.2f} rad/px more than they should. {_smoother(config)}"
        )
    if "grey_edge" in there:
        judge = config.discriminator.get("_target_") is not None
        remedy = "Train longer" if judge else "Train longer, or with a judge: loss=ink_gan discriminator=patch"
        sentences.append(f"grey edges: {excess['grey_edge']:.1f} px wider than true ones. {remedy}.")
    if "shift" in there:
        low_pass = config.generator.get("antialias_down")
        remedy = " Try generator.antialias_down=true." if low_pass is False else ""
        sentences.append(
            f"shift: a source moved by a pixel changes {excess['shift']:.0%} of the ink beyond its place.{remedy}"
        )
    return sentences or ["Nothing stands out: every score is near what glyphs without artefacts have."]


def _checkerboard(found: dict[str, Any], excess: dict[str, float], there: set[str], config: DictConfig) -> str:
    """Of the finest grid, which only the stages at the glyph's own size can have drawn."""
    seen = []
    if "checkerboard_phase" in there:
        seen.append(f"the four places of the pixel grid differ by {excess['checkerboard_phase']:.1%} of the ink")
    if "checkerboard_nyquist" in there:
        seen.append(f"the Nyquist bins stand {excess['checkerboard_nyquist']:.1f} octaves above their neighbours")
    said = f"checkerboard: {' and '.join(seen)}, beyond what shapes explain."
    remedy = _smoother(config)
    finest = [stage for stage in found["stages"] if stage["side"] == found["size"]]
    reading = "by_place" if "checkerboard_phase" in there else "by_frequency"
    blamed = largest_jump(finest, reading)
    if blamed is not None:
        said += f" It comes in at {_jump(blamed, reading)}."
        if blamed["part"] == "resize" and blamed["kind"] != "InterpolateConvResize":
            remedy = "Try generator/up=gated, which interpolates."
    return f"{said} {remedy}"


def _deepest(found: dict[str, Any]) -> list[str]:
    """The stage with the largest jump of all, where that is more than chance."""
    most = largest_jump(found["stages"])
    if most is None or jump(most, "by_place") < STAGE_TELLING:
        return []
    width = f"a pattern of {most['period_px']} px in the glyph, if later stages let it through"
    return [f"stages: the largest jump is at {_jump(most)}; {width}."]


def _jump(stage: dict[str, Any], reading: str = "by_place") -> str:
    return f"{_name(stage)}: {stage['before'][reading]:.3f} -> {stage[reading]:.3f}"


def _smoother(config: DictConfig) -> str:
    if not config.generator.get("head_channels"):
        return "generator.head_channels=16 puts a convolution at full size after the last step up."
    return "A larger data.size makes the same steps smaller."
