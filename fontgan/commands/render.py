"""fontgan render: a font's characters as a glyph folder."""

import logging
from dataclasses import dataclass

from fontgan.config.schema import MISSING, OutConfig, limited
from fontgan.data.frame import SIZES
from fontgan.data.refusal import KINDS
from fontgan.errors import DataError
from fontgan.runtime.files import user_path

log = logging.getLogger(__name__)

ORDER = 40
SUMMARY = "draw a font's characters into a folder of glyph images"
EXAMPLES = ("fontgan render font=A.ttf out=DIR charset=gb2312-1 size=256",)


@dataclass
class Config(OutConfig):
    font: str = MISSING
    charset: str = MISSING
    size: int = limited(choices=SIZES)
    margin: float = limited(0, below=0.25)
    allow: list[str] = limited(choices=KINDS)


def main(cfg: Config) -> int:
    """Draws every character of the charset that the font has. Returns: 0."""

    from fontgan.data import charset as charsets
    from fontgan.data.font_source import FontGlyphs
    from fontgan.data.frame import clips, fit_canvas
    from fontgan.data.image_source import name_from_char
    from fontgan.data.refusal import tell, tell_or_refuse
    from fontgan.data.sources import open_glyphs
    from fontgan.generate.results import prepare_folder
    from fontgan.pictures.contact_sheet import save_png
    from fontgan.runtime.progress import Bar

    glyphs = open_glyphs(cfg.font)
    coverage = glyphs.coverage(charsets.resolve(cfg.charset))
    if not coverage.present:
        tell(coverage.diagnostics, KINDS)
        raise DataError(f"{cfg.font}: has none of the characters of charset={cfg.charset}. Choose another charset.")
    if charsets.is_list(cfg.charset):
        coverage.expect_all(cfg.font)
    boxes = {char: glyphs.ink_box(char) for char in coverage.present}
    canvas = fit_canvas(list(boxes.values()), cfg.size, cfg.margin)
    clipped = [char for char, box in boxes.items() if clips(canvas.box(box), cfg.size)]
    what, remedy = "glyphs reach over the edge of the canvas and are clipped", "Leave them out, or mend the font."
    coverage.diagnostics.tell("warning", cfg.font, clipped, what, remedy, kind="clipped", of=len(boxes))
    tell_or_refuse(coverage.diagnostics, cfg.allow)
    out = user_path(cfg.out)
    facts = {
        "made_by": "fontgan render",
        "font": glyphs.describe(),
        "fingerprint": glyphs.fingerprint(coverage.present),
        "size": cfg.size,
        "cell_to_canvas": canvas.as_dict(),
        "characters": len(coverage.present),
        "left_out": {reason: "".join(chars) for reason, chars in coverage.left_out.items()},
        "clipped": "".join(clipped),
    }
    if isinstance(glyphs, FontGlyphs):
        facts["advances"] = {char: glyphs.advance(char) for char in coverage.present}  # widths in font units
    same = ("fingerprint", "size", "cell_to_canvas")
    prepare_folder(out, facts, overwrite=cfg.overwrite, same=same, names=[name_from_char(c) for c in coverage.present])
    for char in Bar(coverage.present, unit="glyph", desc="drawing"):
        save_png(glyphs.rasterize(char, canvas, cfg.size), out / f"{name_from_char(char)}.png")
    log.info("%d glyphs in %s", len(coverage.present), out)
    return 0
