"""fontgan infer: draw glyphs of a folder or a font in a trained style."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, ListConfig
from PIL import Image
from tqdm import tqdm

from fontgan.data import charset as charsets
from fontgan.data.folder import (
    ANIMATION,
    MANIFEST,
    SHEET,
    STRIP,
    CellFinder,
    image_files,
    ink_box,
    name_from_char,
    read_grey,
    resample,
)
from fontgan.data.frame import Box, median_box
from fontgan.data.glyphs import PAPER, open_glyphs
from fontgan.distributed import from_all, is_main, main_first, rank, together, world_size
from fontgan.errors import ConfigError, DataError, some
from fontgan.files import read_json, user_path, write_whole
from fontgan.inference import REFERENCES, Run, Style, load
from fontgan.pipeline import in_order
from fontgan.sheet import contact_sheet, save_png, scaled
from fontgan.stylepath import animation_frames, path_weights, save_gif, say_mixture, strip_picture

log = logging.getLogger(__name__)

SHEET_COLUMNS, SHEET_GLYPHS = 16, 64
FRAMES, PATH_GLYPHS = 12, 16  # of a path, where frames is not given; and how many characters it shows
SAME = (  # what results in one folder have in common
    "checkpoint", "style", "style_path", "frames", "extrapolate", "drawn_from", "weights", "references",
)  # fmt: skip


@dataclass
class Finding:
    """What reading an image showed."""

    problem: str = ""  # why it cannot be read
    inverted: bool = False
    box: Box | None = None  # of the ink, in cell coordinates


@dataclass
class Sources:
    """Source glyphs to draw from: their result names, and how to get their pixels."""

    names: list[str]
    run: Run
    glyphs: Any = None  # a GlyphSource, or None for image files
    chars: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    cells: CellFinder | None = None
    drawn_from: str = ""  # what the manifest calls these sources
    findings: dict[str, Finding] = field(default_factory=dict)  # of the image files read so far, by name
    glyphs_in_use: threading.Lock = field(default_factory=threading.Lock)  # FreeType holds one glyph at a time

    def pixels(self, name: str) -> np.ndarray | None:
        """The source on the run's canvas, or None (and noted) if it cannot be read. Any thread may ask."""
        if self.glyphs is not None:
            with self.glyphs_in_use:
                return self.glyphs.draw(self.chars[name], self.run.source_frame, self.run.size)
        assert self.cells is not None
        finding = self.findings[name] = Finding()
        try:
            grey, finding.inverted = read_grey(self.files[name])
        except DataError as error:
            finding.problem = str(error)
            return None
        to_cell = self.cells.cell_to_image(grey).inverse()
        box = ink_box(grey)
        finding.box = None if box is None else to_cell.box(box)
        return resample(grey, to_cell.then(self.run.source_frame), self.run.size)

    def found(self) -> list[tuple[str, Finding]]:
        """The findings in the order of the names."""
        return [(name, self.findings[name]) for name in self.names if name in self.findings]


def main(cfg: DictConfig) -> int:
    """Draws what is asked for, each process that torchrun started its share of it.

    Returns: 0, or 1 if some sources could not be read (the rest is done).
    """
    with together(torch.device("cpu")):  # what they tell each other does not need a GPU
        return draw_share(cfg)


def draw_share(cfg: DictConfig) -> int:
    """``main`` among its like: the main process makes the folders, writes the overviews and speaks."""
    with main_first():
        run, sources, jobs, path, out = prepare(cfg)
    for style, folder in jobs:
        draw_folder(run, sources, style, folder, overwrite=cfg.overwrite)
    for findings in from_all(sources.findings):
        sources.findings |= findings
    if not is_main():
        return 0
    if path:
        asked_path = {"style_path": [str(name) for name in cfg.style_path], "extrapolate": cfg.extrapolate or 0.0}
        draw_path(run, sources, asked_path, path, out, overwrite=cfg.overwrite)
    inverted = [sources.files[name].name for name, finding in sources.found() if finding.inverted]
    if inverted:
        log.info(
            "%d of %d images are light on dark and were inverted: %s", len(inverted), len(sources.names), some(inverted)
        )
    warn_of_other_framing(run, sources)
    failed = [finding.problem for _, finding in sources.found() if finding.problem]
    for message in failed:
        log.error("%s", message)
    if failed:
        log.error("%d of %d images could not be read; the rest is done.", len(failed), len(sources.names))
    return 1 if failed else 0


def prepare(cfg: DictConfig) -> tuple[Run, Sources, list[tuple[Style, Path]], list[dict[str, float]], Path]:
    """The run, what to draw from, the styles with their folders, the mixtures of a path, and ``out``.

    Raises: UserError if something asked for is not there or does not fit; nothing is written before all is checked.
    """
    check_settings(cfg)
    run = load(cfg.checkpoint, which=cfg.which, device=cfg.device, precision=cfg.precision, batch_size=cfg.batch_size)
    log.info("step %d of %s", run.checkpoint.step, run.checkpoint.folder)
    added = None
    if cfg.style_images is not None:
        added = run.add_style(cfg.style_images, most=cfg.style_images_max or REFERENCES)
    out = user_path(cfg.out)
    path = choose_path(run, cfg)
    jobs = [] if path else choose_styles(run, added if cfg.style is None else cfg.style, out)
    asked: list[Style] = [*path, *(style for style, _ in jobs)]
    for wanted in asked:
        run.style_align(wanted)  # an unknown name is refused before anything is written
    if added is not None and not any(added in ([wanted] if isinstance(wanted, str) else wanted) for wanted in asked):
        raise ConfigError(
            f"style_images={cfg.style_images}: makes the style {added}, which is not asked for. Leave style out, name "
            f"{added} in style or style_path, or leave style_images out."
        )
    sources = find_sources(run, cfg)
    folders = [folder for _, folder in jobs] or [out]
    if cfg.input is not None and any(f.resolve() == user_path(cfg.input).resolve() for f in folders):
        raise ConfigError(
            f"out={cfg.out}: is the input folder; results would take the place of sources. Name another out=."
        )
    return run, sources, jobs, path, out


def check_settings(cfg: DictConfig) -> None:
    """Raises: ConfigError for a number out of range, or a setting that would be ignored."""
    for key in ("batch_size", "style_images_max"):
        if cfg[key] is not None and cfg[key] < 1:
            raise ConfigError(f"{key}={cfg[key]}: 1 or more is needed.")
    if cfg.style is not None and cfg.style_path is not None:
        raise ConfigError("style and style_path: draw either a style or a path between styles. Leave one of them out.")
    for key, needed in (("style_images_max", "style_images"), ("frames", "style_path"), ("extrapolate", "style_path")):
        if cfg[key] is not None and cfg[needed] is None:
            raise ConfigError(f"{key}={cfg[key]}: belongs to {needed}, which is not given. Add it, or leave {key} out.")


def choose_path(run: Run, cfg: DictConfig) -> list[dict[str, float]]:
    """The mixtures along ``style_path``, none if there is no path.

    Raises: ConfigError or DataError if there is no such path.
    """
    if cfg.style_path is None:
        return []
    if not isinstance(cfg.style_path, ListConfig):
        raise ConfigError(f"style_path={cfg.style_path}: a list of styles is needed: style_path=[kai, brush].")
    styles = [str(name) for name in cfg.style_path]
    run.check_known(styles, "style_path")
    path = path_weights(styles, FRAMES if cfg.frames is None else cfg.frames, cfg.extrapolate or 0.0)
    for mixture in path:
        try:
            run.style_align(mixture)
        except DataError as error:  # the styles are known and the weights sum to 1, so it is the distance
            raise ConfigError(
                f"extrapolate={cfg.extrapolate:g}: goes so far beyond the styles that their glyphs would have no size "
                "left. Lower it."
            ) from error
    return path


def choose_styles(run: Run, asked: Any, out: Path) -> list[tuple[Style, Path]]:
    """The styles to draw and the folder of each."""
    if asked is None:
        if len(run.styles) > 1:
            raise ConfigError(f"style: which one? The run knows {', '.join(run.styles)}; or style=all.")
        return [(run.styles[0], out)]
    if asked == "all":
        return [(name, out / name) for name in run.styles]
    if isinstance(asked, DictConfig):
        mixture = {str(name): value for name, value in asked.items()}
        wrong = [
            n
            for n, v in mixture.items()
            if isinstance(v, bool) or not isinstance(v, int | float) or not math.isfinite(v)
        ]
        if wrong:
            raise ConfigError(f"style: the weight of {wrong[0]} is {mixture[wrong[0]]!r}; a number is needed.")
        return [({name: float(value) for name, value in mixture.items()}, out)]
    run.check_known([str(asked)], also=" (or all)")
    return [(str(asked), out)]


def find_sources(run: Run, cfg: DictConfig) -> Sources:
    """What to draw from. Raises: ConfigError or DataError if nothing or too much is asked for."""
    from_font = [key for key in ("font", "text", "charset") if cfg[key] is not None]
    if cfg.input is not None and from_font:
        raise ConfigError(f"input and {from_font[0]}: give either a folder of images or a font with text or charset.")
    if cfg.text is not None and cfg.charset is not None:
        raise ConfigError("text and charset: give one of them.")
    if cfg.input is not None:
        folder = user_path(cfg.input)
        if not folder.is_dir():
            raise DataError(f"input={folder}: no such folder. Give a folder of glyph images.")
        files = image_files(folder)
        if not files:
            raise DataError(
                f"input={folder}: holds no images. Give a folder of glyph images (PNG or what Pillow reads)."
            )
        named: dict[str, Path] = {}
        for file in files:
            if file.stem in named:
                raise DataError(
                    f"{file}: has the same name as {named[file.stem].name}, and their results would collide. Rename one."
                )
            named[file.stem] = file
        return Sources(list(named), run, files=named, cells=CellFinder(folder), drawn_from=str(folder.resolve()))
    if not from_font:
        raise ConfigError(
            "input: what to draw? Add input=FOLDER, or text=... or charset=... (with font=A.ttf for another font)."
        )
    glyphs = open_glyphs(cfg.font or run.source_spec)
    if cfg.text is not None:
        wanted: list[str] | None = charsets.visible(cfg.text)
        if not wanted:
            raise DataError("text: holds no visible character.")
    else:
        wanted = charsets.resolve(cfg.charset or charsets.FONT)
    survey = glyphs.survey(wanted)
    for finding in survey.findings:
        log.log(logging.WARNING if cfg.text is not None else logging.INFO, "%s", finding)
    if not survey.present:
        raise DataError(f"{glyphs.path}: has none of the characters asked for.")
    chars = {name_from_char(char): char for char in survey.present}
    return Sources(
        list(chars), run, glyphs=glyphs, chars=chars, drawn_from=f"{glyphs.path.name} {glyphs.fingerprint([])[:16]}"
    )


def draw_folder(run: Run, sources: Sources, style: Style, out: Path, *, overwrite: bool) -> None:
    """Draws all sources in one style into ``out``, with a manifest and a contact sheet; of several processes each a share.

    Raises: DataError if ``out`` holds results of something else; OSError if it cannot be written.
    """
    with main_first():
        if is_main():
            facts = describe_results(run, style, sources.drawn_from)
            prepare_folder(out, facts, overwrite=overwrite, same=SAME, names=sources.names)
    share = sources.names[rank() :: world_size()]
    todo = [name for name in share if overwrite or not (out / f"{name}.png").exists()]
    kept = sum(from_all(len(share) - len(todo)))
    if kept:
        log.info("%s: %d results are there already and kept (overwrite=true draws them anew)", out, kept)
    blank = {name for part in from_all(draw_glyph_files(run, sources, todo, style, out)) for name in part}
    if not is_main():
        return
    if blank:
        listed = [name for name in sources.names if name in blank]
        log.warning("%s: %d results are blank though their sources are not: %s", out, len(listed), some(listed))
    draw_sheet(run, sources, out)


def draw_glyph_files(run: Run, sources: Sources, names: Sequence[str], style: Style, out: Path) -> list[str]:
    """Draws sources into a folder that is there, batch by batch; while a GPU computes, threads read and write others.

    Returns: the names of results that are blank though their sources are not.
    Raises: OSError if a result cannot be written; whatever stops it, each result is whole or not there.
    """
    undo_alignment, beside = run.undo_alignment(style), computes_alone(run)
    Batch = tuple[list[str], np.ndarray]

    def one_by_one(drawn: Iterator[tuple[Batch, np.ndarray]]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
        for (batch_names, source), images in drawn:
            yield from zip(batch_names, source, images, strict=True)

    def write(glyph: tuple[str, np.ndarray, np.ndarray]) -> tuple[str, bool]:
        name, source, image = glyph
        image = undo_alignment(image)
        save_png(image, out / f"{name}.png")
        return name, bool(image.min() > PAPER // 2 >= source.min())

    blank = []
    with (
        closing(batches(sources, names, run.batch_size)) as read,
        closing(run.draw_batches(((batch, batch[1]) for batch in read), style)) as drawn,
        closing(in_order(write, one_by_one(drawn), at_once=run.batch_size, beside=beside)) as written,
        tqdm(total=len(names), unit="glyph", desc=f"drawing {style}", disable=not is_main()) as bar,
    ):
        for name, is_blank in written:
            if is_blank:
                blank.append(name)
            bar.update()
    return blank


def draw_path(
    run: Run, sources: Sources, asked: dict[str, Any], path: list[dict[str, float]], out: Path, *, overwrite: bool
) -> None:
    """Draws the first sources at every place of a path into ``strip.png`` and ``path.gif``, with a manifest.

    Args:
        asked: ``style_path`` and ``extrapolate``, for the manifest.
    Raises: DataError if ``out`` holds results of something else, or no source can be read.
    """
    names = sources.names[:PATH_GLYPHS]
    if len(sources.names) > len(names):
        log.info("a path shows the first %d of %d characters", len(names), len(sources.names))
    facts = describe_results(run, None, sources.drawn_from) | asked
    facts |= {"frames": len(path), "path": path, "glyphs": names}
    strip, animation = out / STRIP, out / ANIMATION
    prepare_folder(out, facts, overwrite=overwrite, same=(*SAME, "glyphs"))
    if strip.exists() and animation.exists() and not overwrite:
        log.info("%s: strip.png and path.gif are there already and kept (overwrite=true draws them anew)", out)
        return
    read = [pixels for name in names if (pixels := sources.pixels(name)) is not None]
    if not read:
        raise DataError(f"{sources.drawn_from}: none of the images can be read. Give other ones.")
    source = np.stack(read)
    drawn = [run.stylise(source, mixture) for mixture in tqdm(path, unit="frame", desc="drawing the path")]
    labels = [say_mixture(mixture) for mixture in path]
    save_png(strip_picture(source, drawn, labels, cell_px=min(run.size, 96)), strip)
    save_gif(animation_frames(drawn, labels, cell_px=min(run.size, 128)), animation)
    log.info("%d characters at %d places of the path: %s and %s", len(read), len(path), strip, animation)


def computes_alone(run: Run) -> bool:
    """Whether the network leaves this machine's cores free for images."""
    return run.device.type != "cpu"


def batches(sources: Sources, names: Sequence[str], size: int) -> Generator[tuple[list[str], np.ndarray], None, None]:
    """Readable sources, ``size`` at a time; while a GPU works on one batch, the next is read."""
    with closing(in_order(sources.pixels, names, at_once=size, beside=computes_alone(sources.run))) as found:
        readable = ((name, pixels) for name, pixels in zip(names, found, strict=True) if pixels is not None)
        while batch := list(islice(readable, size)):
            yield [name for name, _ in batch], np.stack([pixels for _, pixels in batch])


def describe_results(run: Run, style: Style | None, drawn_from: str) -> dict[str, Any]:
    """What the manifest says, and what a later start must agree with to add to these results."""
    # A mixture is no member.
    drawn_as: dict[str, Any] = next((m for m in run.manifest["members"] if m["name"] == style), {})
    facts = {"to_cell": drawn_as["to_cell"]} if "to_cell" in drawn_as else {}  # a font's: the way back to its units
    return {
        "made_by": "fontgan infer",
        "checkpoint": f"{run.checkpoint.folder.resolve().parent.parent.name}/{run.checkpoint.folder.name}",
        "weights": run.weights_hash,
        "style": style,
        "references": run.references or None,
        "drawn_from": drawn_from,
        "size": run.size,
        "cell_to_canvas": run.manifest["cell_to_canvas"],
        **facts,
    }


def prepare_folder(
    out: Path, facts: dict[str, Any], *, overwrite: bool, same: tuple[str, ...], names: Sequence[str] = ()
) -> None:
    """Makes a result folder with its manifest, or accepts one that holds results of the same making.

    Args:
        same: the facts that results of one making have in common.
        overwrite: take the folder also from another making. Its overviews go; glyphs that are not drawn anew stay, and
            a warning says so.
        names: of the glyphs about to be drawn.
    Raises: DataError if the folder holds something else; OSError if it cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f"out={out}: is a file. Name a folder.")
    file = out / MANIFEST
    if file.is_file():
        try:
            there = read_json(file)
        except (OSError, ValueError):
            there = {}
        there = there if isinstance(there, dict) else {}
        other = [key for key in same if there.get(key) != facts.get(key)]
        # A path has no style and a style no path; what is there says more than what is not.
        other.sort(key=lambda key: there.get(key) is None)
        if other and not overwrite:
            value = there.get(other[0])
            said = some(value) if isinstance(value, list) else value
            raise DataError(
                f"out={out}: holds results of another {other[0]} ({said}). Name another out=, or overwrite=true."
            )
        if other:
            if str(there.get("made_by")).startswith("fontgan"):
                for overview in (SHEET, STRIP, ANIMATION):
                    (out / overview).unlink(missing_ok=True)
            staying = [image.name for image in image_files(out) if image.stem not in set(names)]
            if staying:
                log.warning("%s: held results of another %s, and these stay there: %s", out, other[0], some(staying))
    if not file.is_file() and not overwrite and out.is_dir() and image_files(out):
        raise DataError(f"out={out}: holds images that fontgan did not make. Name another out=, or overwrite=true.")
    out.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(facts, ensure_ascii=False, indent=1))


def draw_sheet(run: Run, sources: Sources, out: Path) -> None:
    """Rows of source over result, the first ones of the folder."""

    def read(name: str) -> tuple[np.ndarray | None, np.ndarray]:
        source, drawn = sources.pixels(name), np.asarray(Image.open(out / f"{name}.png").convert("L"))
        return None if source is None else scaled(source, side), scaled(drawn, side)

    side = min(run.size, 96)
    names = [name for name in sources.names if (out / f"{name}.png").is_file()][:SHEET_GLYPHS]
    rows: list[tuple[str, list[np.ndarray]]] = []
    with closing(in_order(read, names, at_once=SHEET_GLYPHS, beside=False)) as found:
        while part := list(islice(found, SHEET_COLUMNS)):
            rows.append(("source", [source for source, _ in part if source is not None]))
            rows.append(("drawn", [drawn for source, drawn in part if source is not None]))
    if rows:
        save_png(contact_sheet(rows, cell_px=side), out / SHEET)


def warn_of_other_framing(run: Run, sources: Sources) -> None:
    """Says so when a folder's glyphs sit in their cells otherwise than those trained on."""
    trained = run.source_ink_box()
    boxes = [finding.box for _, finding in sources.found() if finding.box is not None]
    if trained is None or len(boxes) < 5:
        return
    here = median_box(boxes)
    scale = math.sqrt(here.width * here.height / (trained.width * trained.height))
    shift = max(
        abs((here.x0 + here.x1) - (trained.x0 + trained.x1)) / 2,
        abs((here.y0 + here.y1) - (trained.y0 + trained.y1)) / 2,
    )
    if not 0.85 < scale < 1.18 or shift > 0.08:
        log.warning(
            "these glyphs fill their cells otherwise than those trained on (%.2f times the size, moved by %.2f em); "
            "results may suffer. Render the source with fontgan render, or use font=A.ttf.", scale, shift,
        )  # fmt: skip
