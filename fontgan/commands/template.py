"""fontgan template: pages to print and write characters on."""

import logging
from dataclasses import dataclass

from fontgan.config.schema import MISSING, OutConfig
from fontgan.errors import ConfigError, DataError, shorten
from fontgan.runtime.files import atomic_write, out_file

log = logging.getLogger(__name__)

ORDER = 140
SUMMARY = "make pages to print and write characters on, as a PDF"
EXAMPLES = (
    "fontgan template chars=gb2312-1 out=sheets.pdf",
    "fontgan template chars=advice.txt font=NotoSansSC.ttf out=sheets.pdf",
)


@dataclass
class Config(OutConfig):
    chars: str = MISSING
    paper: str = MISSING
    cell_mm: float = MISSING
    font: str | None = MISSING
    ghost: bool = MISSING


def main(cfg: Config) -> int:
    """Writes the pages. Returns: 0."""
    from fontgan.data import charset as charsets
    from fontgan.data.font_source import FontGlyphs
    from fontgan.data.sources import open_glyphs
    from fontgan.handwriting.pdf import LabelFont, make_pdf
    from fontgan.handwriting.sheet import lay_out, need_opencv

    out = out_file("out", cfg.out, ".pdf", overwrite=cfg.overwrite, make_folder=True)
    need_opencv()
    glyphs = open_glyphs(cfg.font or "asset:NotoSansSC-Regular.ttf")
    if not isinstance(glyphs, FontGlyphs):
        raise DataError(f"font={cfg.font}: is a folder, and labels are drawn by outlines. Give a font file.")
    chars = charsets.resolve(cfg.chars, "chars")
    if chars is None:
        if cfg.font is None:
            raise ConfigError("chars=font: whose? Name a font=, or the characters.")
        chars = glyphs.coverage(None).drawn
    pages = lay_out(chars, cfg.paper, cfg.cell_mm)
    drawn = set(glyphs.coverage(chars).drawn)  # what reaches far out of its em is moved into its cell
    lacking = [char for char in chars if char not in drawn]
    if lacking:
        log.warning(
            "%s has no usable glyph for %d of the %d characters, which are labelled by their code points%s: %s. "
            "Give a font= that has them.",
            glyphs.path.name, len(lacking), len(chars), " and not shown in their cells" if cfg.ghost else "",
            shorten(lacking),
        )  # fmt: skip
    pdf = make_pdf(pages, LabelFont(glyphs), drawn, ghost=cfg.ghost)
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, pdf)
    log.info(
        "%d character%s on %d page%s of %s in %s",
        len(chars), "s" * (len(chars) != 1), len(pages), "s" * (len(pages) != 1), cfg.paper, out,
    )  # fmt: skip
    return 0
