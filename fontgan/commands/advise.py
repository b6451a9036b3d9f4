"""fontgan advise: which characters to draw next."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from tqdm import tqdm

from fontgan.advice.coverage import Advice, Coverage
from fontgan.advice.parts import SIDE
from fontgan.advice.picture import picture
from fontgan.data import charset as charsets
from fontgan.data.frame import Frame
from fontgan.data.glyphs import GlyphSource
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError, DataError, shorten
from fontgan.evaluation.checks_file import CheckedGlyph, read_checks
from fontgan.pictures.contact_sheet import save_png
from fontgan.runtime.files import atomic_write, user_path

log = logging.getLogger(__name__)

DOUBTS_COUNT = 9.0  # a flagged glyph of doubt 1 counts this much more than one that passed
_CANVAS = Frame(60, 2, 2)  # the em in a picture of SIDE px
_PICTURE_PX = 144
_EXAMPLES = 6  # waiting characters named in a reason


def main(cfg: DictConfig) -> int:
    """Prints the characters, the most useful first, with a reason each. Returns: 0."""
    if cfg.n < 1:
        raise ConfigError(f"n={cfg.n}: 1 or more is needed.")
    out = _check_file("out", cfg.out, ".txt", overwrite=cfg.overwrite)
    picture_file = _check_file("picture", cfg.picture, ".png", overwrite=cfg.overwrite)
    checked = read_checks(user_path(cfg.checks)) if cfg.checks else {}
    source, target = open_glyphs(cfg.source), open_glyphs(cfg.target)
    drawn = target.coverage(None).present
    lacking = _lacking(cfg, source, drawn)
    advice, before = advise(source, drawn, lacking, cfg.n, checked)
    for place, each in enumerate(advice, 1):
        print(f"{place:4}  {each.char}  {each.coverage:4.0%}  {reason(each)}")
    log.info(
        "%d of %d characters that the target lacks. Of all their parts, %.0f %% were covered before and %.0f %% are with these.",
        len(advice), len(lacking), 100 * before, 100 * advice[-1].coverage,
    )  # fmt: skip
    if out:
        atomic_write(out, "".join(each.char for each in advice) + "\n")
        log.info("%s: to print them: fontgan template chars=%s", out, out)
    if picture_file:
        frame = Frame(_PICTURE_PX * 0.94, _PICTURE_PX * 0.03, _PICTURE_PX * 0.03)
        save_png(picture(advice, [source.draw(a.char, frame, _PICTURE_PX) for a in advice], before), picture_file)
        log.info("%s", picture_file)
    return 0


def advise(
    source: GlyphSource,
    drawn: Sequence[str],
    lacking: Sequence[str],
    n: int,
    checked: Mapping[str, CheckedGlyph] | None = None,
) -> tuple[list[Advice], float]:
    """The characters of ``lacking`` to draw next.

    Args:
        drawn: what the target has; of these the source's glyphs count as covered.
        lacking: what the target is to have besides, all in the source.
        checked: glyphs that were made of ``lacking``: the parts of the doubtful ones count more.
    Returns: at most ``n``, the most useful first; and the coverage before the first of them, 0 to 1.
    """
    known = [char for char in source.coverage(list(drawn)).present if char not in set(lacking)]
    if not known:
        log.info("none of the target's characters is in the source: it is advised as if nothing were drawn yet.")
    chars = [*known, *lacking]
    images = np.stack([source.draw(char, _CANVAS, SIDE) for char in tqdm(chars, unit="glyph", desc="drawing")])
    weights = [0.0] * len(known) + [_weight((checked or {}).get(char)) for char in lacking]
    coverage = Coverage(chars, images, np.array(weights))
    for index in range(len(known)):
        coverage.add(index)
    before = coverage.share
    return coverage.choose(range(len(known), len(chars)), n), before


def reason(advice: Advice) -> str:
    """Why a character is worth drawing, in words."""
    others = [char for char in advice.waiting if char != advice.char]
    if not others:
        return "new: a shape of its own; no other character waits for one of its parts"
    told = "".join(others[:_EXAMPLES]) + ("..." if len(others) > _EXAMPLES else "")
    waits = "1 other waits" if len(others) == 1 else f"{len(others)} others wait"
    return f"new: {advice.part} of {advice.char}; {waits} for it: {told}"


def _weight(check: CheckedGlyph | None) -> float:
    return 1 + DOUBTS_COUNT * check.doubt if check and check.flags else 1.0


def _lacking(cfg: DictConfig, source: GlyphSource, drawn: Sequence[str]) -> list[str]:
    """Characters of the charset that the target lacks and the source has.

    Raises: DataError if there are none.
    """
    wanted = charsets.resolve(cfg.charset)
    if wanted is None:
        wanted = source.coverage(None).present
    have = set(drawn)
    lacking = [char for char in wanted if char not in have]
    if not lacking:
        raise DataError(
            f"target={cfg.target}: has all {len(wanted)} characters of charset={cfg.charset}. Choose a larger charset."
        )
    present = source.coverage(lacking).present
    if not present:
        raise DataError(
            f"source={cfg.source}: has none of the {len(lacking)} characters that the target lacks ({shorten(lacking)}). "
            "Give a complete font of the same script."
        )
    if len(present) < len(lacking):
        without = [char for char in lacking if char not in set(present)]
        log.warning("the source lacks %d wanted characters, which are left out: %s", len(without), shorten(without))
    return present


def _check_file(key: str, value: str | None, ending: str, *, overwrite: bool) -> Path | None:
    """Raises: ConfigError if a file cannot be called so or is there already; said before anything is drawn."""
    if value is None:
        return None
    file = user_path(value)
    if file.suffix.lower() != ending or file.is_dir():
        raise ConfigError(f"{key}={value}: name a file that ends in {ending}.")
    if file.exists() and not overwrite:
        raise ConfigError(f"{key}={value}: is there already. Name another file, or overwrite=true.")
    if not file.parent.is_dir():
        raise ConfigError(f"{key}={value}: there is no folder {file.parent}. Make it, or name another.")
    return file
