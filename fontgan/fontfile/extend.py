"""A font with glyphs added to it. What it had keeps its bytes, its glyph numbers and its line spacing."""

from __future__ import annotations

import logging
import struct
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontTools.misc.timeTools import timestampNow
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable
from fontTools.ttLib.tables.DefaultTable import DefaultTable

from fontgan.errors import DataError, shorten
from fontgan.fontfile import glyphs as drawing
from fontgan.fontfile import names
from fontgan.fontfile.metrics import Bounds, bounds_of
from fontgan.fontfile.outline import DrawnGlyph
from fontgan.fontfile.target import Target, check_limits
from fontgan.fontfile.verify import Verified, save_verified
from fontgan.runtime.subsample import subsample_evenly

log = logging.getLogger(__name__)

BMP = 0xFFFF  # the last code point that subtables of 16 bits can hold
LAST_CID = 0xFFFE  # a CFF table can count no more of them than 65,535
SHORT_LOCA = 0x1FFFE  # the last offset that a loca table of 16 bits can hold


@dataclass(frozen=True)
class Built:
    """A font file that was written, and what the user should know of it."""

    out: Path
    glyphs: int
    warnings: tuple[str, ...]
    verified: Verified | None


@dataclass(frozen=True)
class Added:
    """A glyph on its way into the tables."""

    name: str
    glyph: DrawnGlyph
    bounds: Bounds | None  # left, bottom, right, top of its ink, in font units


def extend_font(
    target: Target,
    glyphs: list[DrawnGlyph],
    out: Path,
    *,
    family: str | None = None,
    style_name: str | None = None,
    note: str | None = None,
    tolerance: float = 0.6,
) -> Built:
    """Writes the target with glyphs added, each mapped to its character, whatever that was mapped to before.

    Args:
        glyphs: in the target's units per em.
        family, style_name: new names; None for the target's own.
        note: a sentence for the description in the name table; None for how many glyphs fontgan made.
        tolerance: how far quadratic curves may stray from cubic ones, in thousandths of the em.
    Raises: DataError if the font cannot hold the glyphs; RunError if the finished file does not draw them;
        OSError if it cannot be written.
    """
    check_limits(target, [glyph.char for glyph in glyphs])
    try:
        font = target.static()
        kind = "glyf" if "glyf" in font else "CFF "
        made = drawing.prepared(glyphs, kind, em=font["head"].unitsPerEm, tolerance=tolerance)
        warnings = _extend(font, kind, made)
        if family or style_name:
            names.rename(font, family or names.family_of(font), style_name or names.style_of(font))
        names.annotate(font, note or drawing.usual_note(len(made)), drawing.digest(made))
    except (AssertionError, AttributeError, IndexError, KeyError, TypeError, struct.error) as error:
        raise DataError(
            f"{target.spec}: a table of it is broken or of a kind unknown here "
            f"({type(error).__name__}: {error}), so glyphs cannot be added to it. See what fontTools' ttx says of it."
        ) from error
    verified = save_verified(font, out, glyphs)
    return Built(out, len(made), tuple(warnings), verified)


def _extend(font: TTFont, kind: str, glyphs: list[DrawnGlyph]) -> list[str]:
    """Adds glyphs to every table that has something of each glyph. Returns: warnings."""
    order = list(font.getGlyphOrder())
    taken = set(order)
    cid = kind == "CFF " and hasattr(font["CFF "].cff.topDictIndex[0], "ROS")
    added = []
    free = _free_cids(order) if cid else iter(())
    for glyph in glyphs:
        name = f"cid{next(free):05d}" if cid else names.glyph_name(glyph.char, taken)
        taken.add(name)
        added.append(Added(name, glyph, bounds_of(glyph.outline)))
    # Tables whose reading asks for the glyphs' names or number are read while both are still the old ones.
    for tag in ("hmtx", "vmtx", "vhea", "post", "hdmx", "LTSH", "sbix", "cmap"):
        if tag in font:
            font[tag]
    warnings = _aat(font)
    if "hdmx" in font:
        font["hdmx"].hdmx = {ppem: {name: widths[name] for name in order} for ppem, widths in font["hdmx"].hdmx.items()}
    heights = _vertical(font, order) if "vmtx" in font else None
    font.setGlyphOrder([*order, *(new.name for new in added)])
    if kind == "glyf":
        _add_truetype(font, added, len(order))
    else:
        _add_cff(font, added)
    _add_widths(font, added)
    if heights is not None:
        _add_heights(font, added, *heights)
    _add_device_widths(font, added)
    if "post" in font and font["post"].formatType not in (2.0, 3.0):
        font["post"].formatType = 2.0  # names of its own: formats 1 and 2.5 know only Apple's
        font["post"].extraNames, font["post"].mapping = [], {}
    if "DSIG" in font:
        del font["DSIG"]
        warnings.append("the digital signature is taken out: it was one of the file as it came.")
    warnings += _add_characters(font, added)
    _widen_boxes(font, added)
    warnings += _say_clipped(font, added)
    font["head"].modified = timestampNow()  # or SOURCE_DATE_EPOCH
    return warnings


# -- outlines ---------------------------------------------------------------------------------


def _add_truetype(font: TTFont, added: list[Added], there: int) -> None:
    """Appends to the bytes of glyf and loca; nothing that was there is taken apart."""
    long = font["head"].indexToLocFormat == 1
    offsets = array("I" if long else "H", font.reader["loca"])
    offsets.byteswap()
    starts = [offset if long else 2 * offset for offset in offsets[: there + 1]]
    content = bytearray(font.reader["glyf"][: starts[-1]])
    maxp = font["maxp"]
    for new in added:
        glyph = drawing.truetype(new.glyph)
        data = glyph.compile(None, recalcBBoxes=True, optimizeSize=True) if new.glyph.outline.calls else b""
        content += data + bytes(-len(data) % 4)
        starts.append(len(content))
        if data:
            maxp.maxPoints = max(maxp.maxPoints, len(glyph.coordinates))
            maxp.maxContours = max(maxp.maxContours, glyph.numberOfContours)
    long = long or starts[-1] > SHORT_LOCA
    offsets = array("I", starts) if long else array("H", [start // 2 for start in starts])
    offsets.byteswap()
    font["head"].indexToLocFormat = int(long)
    _set_raw(font, "glyf", bytes(content))
    _set_raw(font, "loca", offsets.tobytes())


def _set_raw(font: TTFont, tag: str, data: bytes) -> None:
    table = DefaultTable(tag)
    table.data = data
    font[tag] = table


def _cids(order: Iterable[str]) -> set[int]:
    return {int(name[3:]) for name in order if name.startswith("cid") and name[3:].isdigit()}


def _free_cids(order: list[str]) -> Iterator[int]:
    """Numbers for new glyphs: after the last, and when these run out, as in a part of a full font, those between."""
    taken = _cids(order)
    last = max(taken, default=0)
    yield from range(last + 1, LAST_CID + 1)
    yield from (number for number in range(1, last) if number not in taken)


def _add_cff(font: TTFont, added: list[Added]) -> None:
    """Appends charstrings without subroutines; those that were there keep their bytes, as fontTools does not read them."""
    cff = font["CFF "].cff
    top = cff.topDictIndex[0]
    strings = top.CharStrings
    chosen = 0
    if hasattr(top, "ROS"):
        # The dictionary that most glyphs use, which is that of the ideographs in the fonts this is for.
        chosen = Counter(top.FDSelect.gidArray).most_common(1)[0][0]
        private = top.FDArray[chosen].Private
        top.CIDCount = max(getattr(top, "CIDCount", 0), *(number + 1 for number in _cids(new.name for new in added)))
    else:
        private = top.Private
    top.charset = [*top.charset, *(new.name for new in added)]  # anew: it may be fontTools' own list
    for new in added:
        strings.charStrings[new.name] = len(strings.charStringsIndex)
        strings.charStringsIndex.append(drawing.charstring(new.glyph, private, cff.GlobalSubrs))
        if hasattr(top, "ROS"):
            top.FDSelect.append(chosen)
    boxes = [new.bounds for new in added if new.bounds]
    if boxes and getattr(top, "FontBBox", None):
        top.FontBBox = list(_union([tuple(top.FontBBox), *boxes]))


# -- metrics ----------------------------------------------------------------------------------


def _add_widths(font: TTFont, added: list[Added]) -> None:
    hhea = font["hhea"]
    for new in added:
        left = round(new.bounds[0]) if new.bounds else 0
        font["hmtx"][new.name] = (int(new.glyph.advance), left)
        hhea.advanceWidthMax = max(hhea.advanceWidthMax, int(new.glyph.advance))
        if new.bounds:
            hhea.minLeftSideBearing = min(hhea.minLeftSideBearing, left)
            hhea.minRightSideBearing = min(hhea.minRightSideBearing, int(new.glyph.advance) - round(new.bounds[2]))
            hhea.xMaxExtent = max(hhea.xMaxExtent, round(new.bounds[2]))


def _vertical(font: TTFont, order: list[str]) -> tuple[int, float]:
    """The usual height of a glyph, and how far its origin lies above the baseline, in font units."""
    metrics = font["vmtx"].metrics
    height = Counter(advance for advance, _ in metrics.values()).most_common(1)[0][0]
    if "VORG" in font:
        return height, font["VORG"].defaultVertOriginY
    if "glyf" in font:
        content, long = font.reader["glyf"], font["head"].indexToLocFormat == 1
        starts = array("I" if long else "H", font.reader["loca"])
        starts.byteswap()
        origins: Counter[int] = Counter()
        for number in subsample_evenly(range(len(order)), 2000):
            start, end = (starts[number + i] * (1 if long else 2) for i in (0, 1))
            if end > start and metrics[order[number]][0] == height:
                (top,) = struct.unpack_from(">h", content, start + 8)
                origins[top + metrics[order[number]][1]] += 1
        if origins:
            return height, origins.most_common(1)[0][0]
    return height, font["OS/2"].sTypoAscender if "OS/2" in font else font["hhea"].ascent


def _add_heights(font: TTFont, added: list[Added], height: int, origin: float) -> None:
    vhea = font["vhea"]
    for new in added:
        top = round(origin - new.bounds[3]) if new.bounds else 0
        font["vmtx"][new.name] = (height, top)
        if new.bounds:
            size = round(new.bounds[3] - new.bounds[1])
            vhea.minTopSideBearing = min(vhea.minTopSideBearing, top)
            vhea.minBottomSideBearing = min(vhea.minBottomSideBearing, height - top - size)
            vhea.yMaxExtent = max(vhea.yMaxExtent, top + size)


def _add_device_widths(font: TTFont, added: list[Added]) -> None:
    """hdmx and LTSH: the new glyphs have no hints, so their widths grow in proportion."""
    em = font["head"].unitsPerEm
    if "hdmx" in font:
        for ppem, widths in font["hdmx"].hdmx.items():
            for new in added:
                widths[new.name] = min(255, round(new.glyph.advance * ppem / em))
    if "LTSH" in font:
        for new in added:
            font["LTSH"].yPels[new.name] = 1


def _aat(font: TTFont) -> list[str]:
    """Apple's lookups of format 0 list every glyph, so the new ones would be missing: these tables go."""
    gone = []
    for tag, header in (("bsln", 8 + 2 * 32), ("prop", 8), ("lcar", 6), ("opbd", 6)):
        if tag not in font:
            continue
        data = font.reader[tag]
        kind = struct.unpack_from(">H", data, 4)[0] if len(data) > 6 else 0
        start = 8 + 2 * 32 + (2 if kind > 1 else 0) if tag == "bsln" else header
        has_lookup = tag in ("lcar", "opbd") or (kind in (1, 3) if tag == "bsln" else kind == 1)
        if has_lookup and data[start : start + 2] == b"\0\0":
            del font[tag]
            gone.append(f"the table {tag} is taken out: it lists each glyph and cannot be extended here.")
    return gone


# -- characters -------------------------------------------------------------------------------


def _add_characters(font: TTFont, added: list[Added]) -> list[str]:
    """Maps characters in every Unicode subtable of cmap; variation sequences (format 14) stay as they are."""
    cmap = font["cmap"]
    # A format 6 lists one stretch of code points; as format 4 the same table takes any.
    cmap.tables = [_as_format_4(table) if table.isUnicode() and table.format == 6 else table for table in cmap.tables]
    everything = {ord(new.glyph.char): new.name for new in added}
    in_bmp = {code: name for code, name in everything.items() if code <= BMP}
    tables = [table for table in cmap.tables if table.isUnicode() and table.format != 14]
    before = dict(font.getBestCmap())
    warnings = []
    full: list[Any] = []
    done: dict[int, bool] = {}  # subtables may share one dictionary
    for table in tables:
        if table.format in (10, 12):
            table.cmap.update(everything)
            full.append(table)
        elif table.format == 4 and id(table.cmap) not in done:
            old = dict(table.cmap)
            table.cmap.update(in_bmp)
            done[id(table.cmap)] = _compiles(table, font)
            if not done[id(table.cmap)]:
                table.cmap.clear()
                table.cmap.update(old)
    overflow = False in done.values()
    if overflow:
        warnings.append(
            "the 16-bit cmap has no room left, so the new characters are in the 32-bit one alone, which all but very "
            "old programs read."
        )
    if (len(in_bmp) < len(everything) or overflow) and not full:
        for platform, encoding in ((3, 10), (0, 4)):
            if platform == 3 or any(table.platformID == 0 for table in tables):
                table = CmapSubtable.newSubtable(12)
                table.platformID, table.platEncID, table.language = platform, encoding, 0
                table.cmap = before | everything
                cmap.tables.append(table)
    cmap.tables.sort(key=lambda table: (table.platformID, table.platEncID, getattr(table, "language", 0)))
    if "OS/2" in font:
        os2 = font["OS/2"]
        ranges = os2.getUnicodeRanges() if os2.version >= 1 else set()
        os2.recalcUnicodeRanges(font)
        os2.setUnicodeRanges(ranges | os2.getUnicodeRanges())
        if os2.version >= 1:
            pages = os2.getCodePageRanges()
            os2.recalcCodePageRanges(font)
            os2.setCodePageRanges(pages | os2.getCodePageRanges())
        os2.recalcAvgCharWidth(font)
    return warnings


def _as_format_4(table: Any) -> Any:
    free = CmapSubtable.newSubtable(4)
    free.platformID, free.platEncID, free.language = table.platformID, table.platEncID, table.language
    free.cmap = table.cmap
    return free


def _compiles(table: Any, font: TTFont) -> bool:
    """Whether a subtable fits its format: one of format 4 has 65,535 bytes at most."""
    try:
        table.compile(font)
    except (struct.error, OverflowError):
        return False
    return True


def _union(boxes: list[Any]) -> Bounds:
    return min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes)


def _widen_boxes(font: TTFont, added: list[Added]) -> None:
    head = font["head"]
    boxes = [new.bounds for new in added if new.bounds]
    if boxes:
        union = _union([(head.xMin, head.yMin, head.xMax, head.yMax), *boxes])
        head.xMin, head.yMin, head.xMax, head.yMax = map(round, union)


def _say_clipped(font: TTFont, added: list[Added]) -> list[str]:
    """Line spacing is the target's: changing it would move the lines of every document set in it."""
    if "OS/2" not in font:
        return []
    top, bottom = font["OS/2"].usWinAscent, -font["OS/2"].usWinDescent
    out = [new.glyph.char for new in added if new.bounds and (new.bounds[3] > top or new.bounds[1] < bottom)]
    if not out:
        return []
    union = _union([new.bounds for new in added if new.bounds])
    return [
        f"{len(out)} new glyphs reach over the font's usWinAscent {top} or usWinDescent {-bottom} (up to {union[3]:.0f} "
        f"and {union[1]:.0f}), where some programs for Windows clip: {shorten(out)}. Line spacing stays as it is."
    ]
