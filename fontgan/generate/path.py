"""Glyphs drawn along a path from style to style."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fontgan.data.image_source import ANIMATION, STRIP
from fontgan.errors import ConfigError, DataError
from fontgan.generate.results import SAME, describe_results, prepare_folder
from fontgan.generate.run import BaseRun
from fontgan.generate.sources import GlyphInput, batches
from fontgan.pictures.contact_sheet import save_png
from fontgan.pictures.style_path import animation_frames, path_weights, save_gif, say_mixture, strip_picture
from fontgan.runtime.progress import Bar

log = logging.getLogger(__name__)

FRAMES, PATH_GLYPHS = 12, 16  # of a path, where frames is not given; and how many characters it shows


def choose_path(run: BaseRun, style_path: Any, *, frames: int | None, extrapolate: float) -> list[dict[str, float]]:
    """The mixtures along ``style_path``, a list of styles; none where it is None. Raises: ConfigError or DataError."""
    if style_path is None:
        return []
    if isinstance(style_path, str) or not isinstance(style_path, Sequence):
        raise ConfigError(f"style_path={style_path}: a list of styles is needed: style_path=[kai, brush].")
    styles = [str(name) for name in style_path]
    run.check_known(styles, "style_path")
    path = path_weights(styles, FRAMES if frames is None else frames, extrapolate)
    try:
        for mixture in path:
            run.placement(mixture)
    except DataError as error:  # the styles are known and the weights sum to 1, so it is the distance
        reach = "goes so far beyond the styles that their glyphs would have no size left"
        raise ConfigError(f"extrapolate={extrapolate:g}: {reach}. Lower it.") from error
    return path


def draw_path(
    run: BaseRun,
    sources: GlyphInput,
    asked: dict[str, Any],
    path: list[dict[str, float]],
    out: Path,
    *,
    overwrite: bool,
) -> None:
    """Draws the first sources at every place of a path into ``strip.png`` and ``path.gif``, with a manifest.

    The manifest says what was ``asked`` too: ``style_path`` and ``extrapolate``.
    Raises: DataError if ``out`` holds results of something else, or no source can be read.
    """
    names = sources.names[:PATH_GLYPHS]
    if len(sources.names) > len(names):
        log.info("a path shows the first %d of %d characters", len(names), len(sources.names))
    # A path is a picture of its own, so it shows all that is drawn.
    view = run.view(path[0], extent="canvas")
    facts = describe_results(run, None, sources.drawn_from, view) | asked
    facts |= {"frames": len(path), "path": path, "glyphs": names}
    strip, animation = out / STRIP, out / ANIMATION
    prepare_folder(out, facts, overwrite=overwrite, same=(*SAME, "glyphs"))
    if strip.exists() and animation.exists() and not overwrite:
        log.info("%s: strip.png and path.gif are there already and kept (overwrite=true draws them anew)", out)
        return
    drawn, source = [], np.empty(0)
    for mixture in Bar(path, unit="frame", desc="drawing the path"):
        read = [inputs for _, inputs in batches(run, sources, names, mixture)]
        if not read:
            raise DataError(f"{sources.drawn_from}: none of the images can be read. Give other ones.")
        inputs = np.concatenate(read)
        source = source if len(source) else inputs[:, 0]
        drawn.append(run.stylise(inputs, mixture, view=run.view(mixture, extent="canvas")))
    labels = [say_mixture(mixture) for mixture in path]
    save_png(strip_picture(source, drawn, labels, cell_px=min(run.size, 96)), strip)
    save_gif(animation_frames(drawn, labels, cell_px=min(run.size, 128)), animation)
    log.info("%d characters at %d places of the path: %s and %s", len(read), len(path), strip, animation)
