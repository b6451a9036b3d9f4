"""A run -> a folder that draws with it in the visitor's browser, from a server or opened as files.

What a browser would have to fetch by a script, it may not fetch from a folder on a disk. So everything large is a script
that hands over its bytes as text: onnxruntime, the network, the fonts.
"""

import base64
import gzip
import json
import logging
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fontgan import __version__
from fontgan.data.sources import Spec
from fontgan.errors import DataError
from fontgan.export.browser_files import FIT_CURVE, ONNXRUNTIME, OPENTYPE, browser_file, licences
from fontgan.export.metadata import as_json
from fontgan.export.model import export_model
from fontgan.export.page_fonts import PageFonts, frame_list, page_fonts, page_source
from fontgan.generate.inference import Run
from fontgan.report.html import TEMPLATES, asset_text, render_template
from fontgan.runtime.file_names import distinct
from fontgan.runtime.files import atomic_write, own_folder, replace_folder, temporary_sibling

log = logging.getLogger(__name__)

MARK = 'name="generator" content="fontgan export'  # of a folder that may be replaced
MAX_BYTES = 40_000_000  # of a page, without `chars` for fewer
FIRST = ("永字八法", "春江潮水", "あいうえ", "가나다라", "Hamburg", "Привет")  # what a page shows first, if it can
ENGINES = {  # of the browser's two ways to compute
    "wasm": ("dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm"),
    "webgpu": ("dist/ort.webgpu.bundle.min.mjs", "dist/ort-wasm-simd-threaded.asyncify.wasm"),
}


def page_folder(value: str, *, overwrite: bool) -> Path:
    """The folder that a setting names. Raises: ConfigError if something is there that is not to be replaced."""
    return own_folder("page", value, "fontgan export", file="index.html", mark=MARK, overwrite=overwrite)


def write_page(
    run: Run,
    out: Path,
    *,
    title: str,
    font: Spec | None,
    chars: list[str] | None,
    licence: str,
    confirm_ownership: bool,
) -> int:
    """Writes the page aside and gives it its name when it is whole.

    Args:
        run: on the CPU, in fp32.
        out: as ``page_folder`` gave it.
        title: what the page calls the run.
        font: draws the source glyphs; None for the run's own source.
        chars: that it can draw; None for all that the source has.
        licence: what it says of the fonts that the run learned from.
    Returns: its bytes. Raises: UserError.
    """
    fonts = page_fonts(run, page_source(run, font), chars, confirm_ownership=confirm_ownership)
    model = export_model(run, precision="kept_fp16", licence=licence, encoder=False).data
    with temporary_sibling(out) as aside:
        fresh = aside / out.name
        fresh.mkdir()
        _write(fresh, run, fonts, model, title, licence)
        size = sum(file.stat().st_size for file in fresh.rglob("*") if file.is_file())
        if size > MAX_BYTES:
            raise DataError(
                f"page: would have {size / 1e6:.1f} MB, and {MAX_BYTES / 1e6:.0f} are the most. Give fewer characters: chars=."
            )
        replace_folder(fresh, out)
    return size


def _write(folder: Path, run: Run, fonts: PageFonts, model: bytes, title: str, licence: str) -> None:
    data, terms = folder / "data", folder / "licences"
    data.mkdir()
    terms.mkdir()
    for engine, (script, binary) in ENGINES.items():
        parts = {"script": browser_file(ONNXRUNTIME, script), "binary": browser_file(ONNXRUNTIME, binary)}
        _hand_over(data / f"{engine}.js", engine, parts)
    _hand_over(data / "model.js", "model", {"model": model}, packed=False)
    listed = fonts.all
    for number, font in enumerate(listed):  # each on its own: a style needs few of them
        _hand_over(data / f"font-{number}.js", f"font-{number}", {"font": font.cut()}, packed=False)
    for library, package in (("fit-curve", FIT_CURVE), ("opentype", OPENTYPE)):
        (data / f"{library}.js").write_bytes(browser_file(package, next(iter(package.files))))
    for name, text in licences().items():
        (terms / name).write_bytes(text)
    names = distinct(f"{font.glyphs.path.stem}.LICENSE.txt" for font in listed)
    for font in listed:
        atomic_write(terms / names[f"{font.glyphs.path.stem}.LICENSE.txt"], font.licence())
    atomic_write(terms / "network.txt", licence)
    texts = json.loads((TEMPLATES / "export.strings.json").read_text(encoding="utf-8"))
    page = render_template(
        "export",
        {},
        style=Markup("\n").join([asset_text("report.css"), asset_text("export.css")]),
        title=title,
        version=__version__,
        texts=texts["en"],
        strings=_for_script(texts),
        worker=_for_script((TEMPLATES / "export.worker.js").read_text(encoding="utf-8")),
        facts=_for_script(_facts(run, fonts, title)),
        terms=sorted(file.name for file in terms.iterdir()),
    )
    atomic_write(folder / "index.html", page)


def _facts(run: Run, fonts: PageFonts, title: str) -> dict[str, Any]:
    """What the page's script knows of the run and of its fonts."""
    place = {id(font): number for number, font in enumerate(fonts.all)}
    there = set(fonts.chars)
    styles = []
    for name in run.styles:
        placement = run.placement(name)
        frames = [frame_list(frame) for frame in placement.inputs]
        styles.append(
            {"name": name, "canvas": frame_list(placement.canvas), "inputs": frames, "group": fonts.group_of[name]}
        )
    return {
        "size": run.size,
        "title": title,
        "version": __version__,
        "styles": styles,
        "first": _best_style(run),
        "text": next((text for text in FIRST if set(text) <= there), "".join(fonts.chars[:4])),
        "chars": "".join(fonts.chars),
        "advances": fonts.advances,
        "fonts": [font.describe() for font in fonts.all],
        "source": {"fonts": [place.get(id(font), -1) for font in fonts.source_fonts], "of": fonts.source},
        "guides": [
            {
                "fonts": [place.get(id(font), -1) for font in of_guide],
                "of": [group[number] for group in fonts.guides],
            }
            for number, of_guide in enumerate(fonts.guide_fonts)
        ],
    }


def _best_style(run: Run) -> str:
    """The style that the run draws best, by SSIM of held-out glyphs; the first where none was measured."""
    scores = {name: held["ssim"] for name, held in run.checkpoint.metadata["scores"].items() if name in run.styles}
    return max(scores, key=lambda name: scores[name]) if scores else (run.trained_styles or run.styles)[0]


def _hand_over(file: Path, name: str, parts: dict[str, bytes], *, packed: bool = True) -> None:
    """A script that gives the page these bytes; ``packed`` ones are compressed, which halves what can be compressed."""
    texts = {
        key: base64.b64encode(gzip.compress(data, 9, mtime=0) if packed else data).decode()
        for key, data in parts.items()
    }
    file.write_bytes(f"fontganTakes({as_json(name)},{as_json(packed)},{as_json(texts)});\n".encode("ascii"))


def _for_script(content: Any) -> Markup:
    """JSON that may stand in a script element."""
    return Markup(as_json(content).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))
