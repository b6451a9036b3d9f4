"""fontgan infer: draw glyphs of a folder or a font in a trained style."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fontgan.config.schema import MISSING, ComputingConfig, ImagesConfig, OutConfig, limited
from fontgan.data.refusal import KINDS, tell
from fontgan.errors import ConfigError
from fontgan.runtime.files import user_path

if TYPE_CHECKING:
    from fontgan.generate.run import BaseRun, Style
    from fontgan.generate.sources import GlyphInput

log = logging.getLogger(__name__)

ORDER = 30
SUMMARY = "draw a folder of glyphs, or characters of a font, in a trained style"
EXAMPLES = (
    "fontgan infer checkpoint=runs/quickstart input=FOLDER out=DIR style=kai",
    "fontgan infer checkpoint=runs/quickstart text=永字八法 out=DIR 'style={kai: 0.6, brush: 0.4}'",
    "fontgan infer checkpoint=runs/quickstart font=A.ttf charset=gb2312-1 out=DIR style=all",
    "fontgan infer checkpoint=runs/quickstart text=永字八法 out=DIR 'style_path=[kai, brush]' frames=12",
    "fontgan infer checkpoint=runs/reader text=永字八法 out=DIR style_images=DIR",
)


@dataclass
class Config(OutConfig, ComputingConfig, ImagesConfig):
    checkpoint: str = MISSING
    which: str = MISSING
    style: Any = MISSING
    extent: str | None = limited(choices=("cell", "canvas"))
    size: int | None = limited(16, 4096)
    style_images: str | None = MISSING
    style_images_max: int | None = limited(1)
    style_path: Any = MISSING
    frames: int | None = limited(2)
    extrapolate: float | None = limited(0, 100)  # with more, weights of very different size would no longer sum to 1
    input: str | None = MISSING
    font: Any = MISSING
    text: str | None = MISSING
    charset: str | None = MISSING
    allow: list[str] = limited(choices=KINDS)


def check_settings(cfg: Config) -> None:
    """Raises: ConfigError for settings that contradict each other or would be ignored."""
    if cfg.style is not None and cfg.style_path is not None:
        raise ConfigError("style and style_path: draw either a style or a path between styles. Leave one of them out.")
    for key, needed in (("style_images_max", "style_images"), ("frames", "style_path"), ("extrapolate", "style_path")):
        if (value := getattr(cfg, key)) is not None and getattr(cfg, needed) is None:
            raise ConfigError(f"{key}={value}: belongs to {needed}, which is not given. Add it, or leave {key} out.")
    for key in ("extent", "size"):
        if (value := getattr(cfg, key)) is not None and cfg.style_path is not None:
            raise ConfigError(f"{key}={value}: is about images of glyphs, and a path is a picture. Leave {key} out.")
    from_font = [key for key in ("font", "text", "charset") if getattr(cfg, key) is not None]
    if cfg.input is not None and from_font:
        raise ConfigError(f"input and {from_font[0]}: give either a folder of images or a font with text or charset.")
    if cfg.text is not None and cfg.charset is not None:
        raise ConfigError("text and charset: give one of them.")
    if cfg.input is None and not from_font:
        raise ConfigError(
            "input: what to draw? Add input=FOLDER, or text= or charset= (of font=A.ttf for another font)."
        )


def main(cfg: Config) -> int:
    """Draws what is asked for, each process its share.

    Returns: 0, or 1 if some sources could not be read, or most results are useless.
    """
    from fontgan.generate.folder import draw_folder
    from fontgan.generate.path import draw_path
    from fontgan.generate.sources import say_how_read
    from fontgan.runtime.distributed import all_gather, is_main, main_first, process_group

    with process_group("cpu"):  # what they tell each other does not need a GPU
        with main_first():
            run, sources, jobs, path, out = prepare(cfg)
        found = []
        for style, folder in jobs:
            view = run.view(style, extent=cfg.extent or "cell", size=cfg.size)
            found.append(draw_folder(run, sources, style, folder, view=view, overwrite=cfg.overwrite))
        for read in all_gather(sources.read):
            sources.read |= read
        if not is_main():
            return 0
        if path:
            asked = {"style_path": [str(name) for name in cfg.style_path], "extrapolate": cfg.extrapolate or 0.0}
            draw_path(run, sources, asked, path, out, overwrite=cfg.overwrite)
        right = [tell(of_one, cfg.allow) for of_one in found]
        styles: list[Style] = [*path, *(style for style, _ in jobs)]
        return 0 if say_how_read(run, sources, styles, cfg.allow) and all(right) else 1


def prepare(cfg: Config) -> "tuple[BaseRun, GlyphInput, list[tuple[Style, Path]], list[dict[str, float]], Path]":
    """The run, its sources, styles with their folders, mixtures of a path, ``out``; all checked, nothing written."""
    from fontgan.config.instantiate import source_spec
    from fontgan.generate.folder import choose_styles
    from fontgan.generate.path import choose_path
    from fontgan.generate.run import REFERENCES
    from fontgan.generate.sources import open_input

    check_settings(cfg)
    run = _load(cfg)
    images, most = cfg.style_images, cfg.style_images_max or REFERENCES
    added = None if images is None else run.add_style(images, most=most, allow=cfg.allow)
    out = user_path(cfg.out)
    path = choose_path(run, cfg.style_path, frames=cfg.frames, extrapolate=cfg.extrapolate or 0.0)
    jobs = [] if path else choose_styles(run, added if cfg.style is None else cfg.style, out)
    asked: list[Style] = [*path, *(style for style, _ in jobs)]
    for wanted in asked:
        run.placement(wanted)  # an unknown name is refused before anything is written
    if added is not None and not any(added in ([wanted] if isinstance(wanted, str) else wanted) for wanted in asked):
        raise ConfigError(
            f"style_images={cfg.style_images}: makes the style {added}, which is not asked for. Leave style out, name "
            f"{added} in style or style_path, or leave style_images out."
        )
    font = source_spec(cfg.font, "font")
    sources = open_input(
        run, folder=cfg.input, font=font, text=cfg.text, charset=cfg.charset, styles=asked, allow=cfg.allow
    )
    folders = [folder for _, folder in jobs] or [out]
    if cfg.input is not None and any(f.resolve() == user_path(cfg.input).resolve() for f in folders):
        raise ConfigError(f"out={cfg.out}: is the input folder; results would replace sources. Name another out=.")
    return run, sources, jobs, path, out


def _load(cfg: Config) -> "BaseRun":
    """The run; of an exported one without torch, which need not be installed then."""
    from fontgan.generate.onnx_run import is_exported, load_exported

    computing: dict[str, Any] = {"device": cfg.device, "precision": cfg.precision, "batch_size": cfg.batch_size}
    if is_exported(cfg.checkpoint):
        exported = load_exported(cfg.checkpoint, **computing)
        if exported.reads_references and cfg.style_images is None:
            raise ConfigError(f"checkpoint={cfg.checkpoint}: reads its style off glyphs. Add style_images=DIR.")
        return exported
    from fontgan.generate.inference import load

    run = load(cfg.checkpoint, which=cfg.which, **computing)
    log.info("step %d of %s", run.checkpoint.step, run.checkpoint.folder)
    return run
