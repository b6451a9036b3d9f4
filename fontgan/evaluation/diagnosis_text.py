"""A diagnosis as people read it: tables of scores and stages, and findings with what to try."""

import math
from typing import Any

from omegaconf import DictConfig

from fontgan.evaluation.diagnose import jump, largest_jump, no_reading
from fontgan.evaluation.tables import columns, digits

# From here on an artefact is spoken of: about what a reader of the picture begins to see.  The excess over what copying
# the source gives, which has wrong shapes and no artefacts.
TELLING = {"checkerboard_phase": 0.01, "checkerboard_nyquist": 0.5, "staircase": 0.05, "grey_edge": 0.5, "shift": 0.1}
# Of the ink, over the square root of how many glyphs are taken as one: what one font drawn in place of another, of the
# same characters at 64 px, exceeds in one draw of twenty (measured for 1 to 96 glyphs: 0.10 to 0.13).
CHANCE = 0.11
# Standard deviations of a channel: encoder features, which vary more than glyphs, give 0.1 by chance.
STAGE_TELLING = 0.3


def score_table(found: dict[str, Any]) -> str:
    """The scores of the drawn glyphs beside those of their sources, and the phase bias on plain inputs."""
    styles = found["styles"] if len(found["styles"]) > 1 else []
    rows = [["score", "", "drawn", *styles, "copy source", "worst glyph"]]
    for score in found["scores"].values():
        drawn, source = digits(score["mean"]), digits(score["copy_source"])
        by_style = [digits(score["styles"][style]) for style in styles]
        worst = score["worst"][0]
        said = f"{worst['style']}:{worst['char']} {digits(worst['value'])}"
        rows.append([score["title"], score["unit"], drawn, *by_style, source, said])
        if "together" in score:
            drawn, source = (digits(score["together"][kind]) for kind in ("drawn", "copy_source"))
            rows.append(["  all glyphs as one", "", drawn, *([""] * len(styles)), source, ""])
    glyphs = f"{found['count']} held-out glyphs of {found['size']} px, step {found['step']}"
    plain = [f"{name.replace('_', ' ')} {digits(max(styles.values()))}" for name, styles in found["smooth"].items()]
    last = f"phase bias of the logits on plain inputs, of the worst style: {', '.join(plain)}"
    return "\n".join([f"{glyphs}; 0 is like the truth, more is worse", *columns(rows), last])


def stage_table(found: dict[str, Any]) -> str:
    """Every stage of the decoder with its readings, and by how much it raised them."""
    rows = [["stage", "map", "true glyphs", "by place", "jump", "by frequency", "jump", "smooth inputs"]]
    for stage in found["stages"]:
        readings = [*_reading(stage, "by_place"), *_reading(stage, "by_frequency"), _told(stage, "smooth")]
        rows.append([_name(stage), f"{stage['side']} px", digits(stage["truth_by_place"]), *readings])
    legend = "(-: map too small to say; dead: the same everywhere; true glyphs: by place, brought to that size)"
    return "\n".join([*columns(rows), legend])


def _reading(stage: dict[str, Any], reading: str) -> list[str]:
    return [_told(stage, reading), "" if stage[reading] is None else f"{jump(stage, reading):+.3f}"]


def _told(stage: dict[str, Any], reading: str) -> str:
    return "dead" if stage[reading] is None and no_reading(stage) == "dead" else digits(stage[reading])


def _name(stage: dict[str, Any]) -> str:
    return f"level {stage['level']}, {stage['part']} ({stage['kind']})"


def findings(found: dict[str, Any], config: DictConfig) -> list[str]:
    """What the numbers say and what to try, in sentences; of each artefact that is there, or that none is."""
    excess = {name: score["mean"] - max(score["copy_source"] or 0.0, 0.0) for name, score in found["scores"].items()}
    together = found["scores"]["checkerboard_phase"]["together"]
    excess["checkerboard_phase"] = together["drawn"] - together["copy_source"]
    telling = {**TELLING, "checkerboard_phase": max(TELLING["checkerboard_phase"], CHANCE / math.sqrt(found["count"]))}
    there = {name for name, value in excess.items() if value > telling[name]}
    smoother = "generator.head_channels=16 puts a convolution at full size after the last step up."
    if config.generator.get("head_channels"):
        smoother = "A larger data.size makes the same steps smaller."
    sentences = []
    if there & {"checkerboard_phase", "checkerboard_nyquist"}:
        sentences.append(_checkerboard(found, excess, there, smoother))
    most = largest_jump(found["stages"])
    if most is not None and jump(most, "by_place") >= STAGE_TELLING:
        width = f"a pattern of {most['period_px']} px in the glyph, if later stages let it through"
        sentences.append(f"stages: the largest jump is at {_jump(most)}; {width}.")
    if "staircase" in there:
        turn = f"outlines turn {excess['staircase']:.2f} rad/px more than they should"
        sentences.append(f"staircase: {turn}. {_against_steps(config)} {smoother}")
    if "grey_edge" in there:
        judge = config.discriminator.get("_target_") is not None
        remedy = "Train longer" if judge else "Train longer, or with a judge: loss=ink_gan discriminator=patch"
        sentences.append(f"grey edges: {excess['grey_edge']:.1f} px wider than true ones. {remedy}.")
    if "shift" in there:
        remedy = " Try generator.antialias_down=true." if config.generator.get("antialias_down") is False else ""
        change = f"a source moved by a pixel changes {excess['shift']:.0%} of the ink beyond its place"
        sentences.append(f"shift: {change}.{remedy}")
    return sentences or ["Nothing stands out: every score is near what glyphs without artefacts have."]


def _against_steps(config: DictConfig) -> str:
    """What makes smoother outlines than the up path that a run has: a learned one, a gate, the skip, the edge loss."""
    up = config.generator.up
    fusion, resize = (str(up[part]._target_) if part in up else "" for part in ("fusion", "resize"))
    if fusion.endswith("NoFusion"):
        tried = "generator/up/fusion=gated, which lets the skip in"
    elif fusion.endswith("GatedFusion") and resize.endswith("InterpolateConvResize"):
        tried = "generator/up=learnable_interpolation, which convolves once more after the skip has joined"
    else:
        tried = "generator/up=gated, which interpolates, convolves and mixes in the skip by a gate"
    return f"Try {tried}, or loss.edge.weight={2 * config.loss.edge.weight or 1:g}."


def _checkerboard(found: dict[str, Any], excess: dict[str, float], there: set[str], remedy: str) -> str:
    """Of the finest grid, which only the stages at the glyph's own size can have drawn."""
    seen = []
    if "checkerboard_phase" in there:
        seen.append(f"the four places of the pixel grid differ by {excess['checkerboard_phase']:.1%} of the ink")
    if "checkerboard_nyquist" in there:
        seen.append(f"the Nyquist bins stand {excess['checkerboard_nyquist']:.1f} octaves above their neighbours")
    said = f"checkerboard: {' and '.join(seen)}, beyond what shapes explain."
    reading = "by_place" if "checkerboard_phase" in there else "by_frequency"
    blamed = largest_jump([stage for stage in found["stages"] if stage["side"] == found["size"]], reading)
    if blamed is not None:
        said += f" It comes in at {_jump(blamed, reading)}."
        if blamed["part"] == "resize" and blamed["kind"] != "InterpolateConvResize":
            remedy = "Try generator/up=gated, which interpolates."
    return f"{said} {remedy}"


def _jump(stage: dict[str, Any], reading: str = "by_place") -> str:
    return f"{_name(stage)}: {stage['before'][reading]:.3f} -> {stage[reading]:.3f}"
