"""What is done with a font in the process that may be ended: all that the program may do with it later."""

import importlib
import io
from pathlib import Path

import freetype

# These modules are imported once for all fonts that the process is forked for.
from fontTools.ttLib import TTFont, tables, ttCollection  # noqa: F401

from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.errors import DataError, printable

for _table in ("_c_m_a_p", "_n_a_m_e", "_f_v_a_r", "_h_e_a_d", "_h_h_e_a", "_m_a_x_p", "O_S_2f_2"):
    importlib.import_module(f"{tables.__name__}.{_table}")

MAX_PX = 512  # glyphs are drawn no larger
_MANY_POINTS = 400  # an outline of fewer takes hundredths of a second to draw, however its lines run
_OUT_OF_MEMORY = 0x40  # FreeType's code
# What adding glyphs reads, in this order.
_EXTENDED = ("hmtx", "vmtx", "vhea", "post", "hdmx", "LTSH", "sbix", "cmap", "OS/2", "name", "maxp", "VORG")


def look_over(data: bytes, *, path: str, index: int | None, instance: str | None, tables: bool) -> bytes:
    """Opens a font as ``FontGlyphs`` does and loads every glyph, drawing those of many points.

    Returns: nothing. Raises: DataError if it cannot be opened; MemoryError; whatever fontTools raises.
    """
    glyphs = FontGlyphs(Path(path), index=index, instance=instance, data=data)
    chars = glyphs.characters()
    glyphs.describe()
    if tables:
        _read_tables(glyphs, path)
    for glyph in range(glyphs.glyph_count):
        try:
            if glyphs.load(glyph) > _MANY_POINTS:
                glyphs.rasterize_loaded(Frame(MAX_PX, 0, 0), MAX_PX)
        except freetype.FT_Exception as error:  # a broken glyph: whoever wants this one is told
            if error.errcode == _OUT_OF_MEMORY:
                raise MemoryError from error
    for char in chars:
        glyphs.glyph_of(char)
    return b""


def _read_tables(glyphs: FontGlyphs, path: str) -> None:
    from fontgan.fontfile.licence import check_licence

    font = TTFont(io.BytesIO(glyphs.data), fontNumber=glyphs.index or 0, lazy=True)
    font.getGlyphOrder()
    for tag in _EXTENDED:
        try:
            font.get(tag)
        except Exception as error:
            raise DataError(
                f"{path}: its table {tag} cannot be read ({type(error).__name__}: {printable(str(error))}), so glyphs "
                "cannot be added to it. See what fontTools' ttx says of it."
            ) from error
    check_licence(font, confirm_ownership=True, family=None)  # its search through the texts, which refuses nothing
    if "CFF " in font and "fvar" not in font:
        top = font["CFF "].cff.topDictIndex[0]
        _ = len(top.CharStrings), top.charset, getattr(top, "FDSelect", None), getattr(top, "FDArray", None)
