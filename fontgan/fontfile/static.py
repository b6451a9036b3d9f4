"""A variable font, or one with CFF2 outlines, as a plain one. Runs in a process that may be ended: ``fontgan.untrusted.sandbox``."""

from __future__ import annotations

import io

from fontTools.ttLib import TTFont
from fontTools.varLib import instancer


def make_static(data: bytes, *, index: int, location: dict[str, float]) -> bytes:
    """
    Args:
        data: the font file.
        index: face of a collection.
        location: the instance, of a variable font.
    Returns: the file of a single, static font with glyf or CFF outlines.
    """
    if location:
        font = _instance(data, index, location)
    else:
        from fontTools.cffLib.CFF2ToCFF import convertCFF2ToCFF

        font = TTFont(io.BytesIO(data), fontNumber=index, lazy=True, recalcBBoxes=False, recalcTimestamp=False)
        convertCFF2ToCFF(font)
    font.flavor = None  # WOFF is unpacked
    content = io.BytesIO()
    font.save(content, reorderTables=False)
    return content.getvalue()


def _instance(data: bytes, index: int, location: dict[str, float]) -> TTFont:
    def instance(*, rename: bool) -> TTFont:
        # Read whole and recomputed: every outline changes, and is then as if the font had come so.
        font = TTFont(io.BytesIO(data), fontNumber=index, recalcTimestamp=False)
        rename &= "STAT" in font
        return instancer.instantiateVariableFont(font, location, updateFontNames=rename, downgradeCFF2="CFF2" in font)

    try:
        return instance(rename=True)
    except ValueError:  # its tables do not say how to call the instance; it keeps its name
        return instance(rename=False)
