"""A font with glyphs added to it. What it had keeps its bytes, its glyph numbers and its line spacing."""

import logging
import math
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.misc.timeTools import timestampNow
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable
from fontTools.ttLib.tables.DefaultTable import DefaultTable

from fontgan.data.character_map import character_map
from fontgan.errors import DataError, shorten
from fontgan.fontfile import glyphs as drawing
from fontgan.fontfile import names
from fontgan.fontfile.credits import NONE_GIVEN, Credits
from fontgan.fontfile.outline import Bounds, DrawnGlyph
from fontgan.fontfile.shaping import warn_of_features
from fontgan.fontfile.target import Target
from fontgan.fontfile.verify import save_verified
from fontgan.runtime.subsample import subsample_evenly

log = logging.getLogger(__name__)

BMP = 0xFFFF  # the last code point that subtables of 16 bits can hold
LAST_CID = 0xFFFE  # a CFF table can count no more of them than 65,535
SEEN = 0.02  # of the em: of a glyph that reaches over where Windows clips by more, a part is missed
SHORT_LOCA = 0x1FFFE  # the last offset that a loca table of 16 bits can hold

Added = dict[str, DrawnGlyph]  # on their way into the tables, by name


def extend_font(
    target: Target,
    glyphs: list[DrawnGlyph],
    out: Path,
    *,
    family: str | None = None,
    style_name: str | None = None,
    credits: Credits = NONE_GIVEN,
    note: str | None = None,
    tolerance: float = 0.6,
) -> None:
    """Writes the target with glyphs added, each mapped to its character, whatever that was mapped to before.

    The log warns of what had to go, of glyphs that may be clipped, and of what they lack to be set with their neighbours.

    Args:
        glyphs: in the target's units per em; no more than ``target.check_limits`` allows.
        family, style_name: new names; None for the target's own.
        credits, note, tolerance: as in ``create_font``.
    Raises: DataError if the font cannot hold the glyphs; RunError if the finished file does not draw them;
        OSError if it cannot be written.
    """
    try:
        font = target.static()
        kind = "glyf" if "glyf" in font else "CFF "
        made = drawing.prepared(glyphs, kind, em=font["head"].unitsPerEm, tolerance=tolerance)
        _extend(font, kind, made)
        if family or style_name:
            names.rename(font, family or names.family_of(font), style_name or names.style_of(font))
        credits.write(font)
        names.annotate(font, note or drawing.usual_note(len(made)), drawing.digest(made))
    except (AssertionError, AttributeError, IndexError, KeyError, TypeError, struct.error) as error:
        raise DataError(
            f"{target.spec}: a table of it is broken or of a kind unknown here "
            f"({type(error).__name__}: {error}), so glyphs cannot be added to it. See what fontTools' ttx says of it."
        ) from error
    warn_of_features([glyph.char for glyph in glyphs], extended=True)
    save_verified(font, out, glyphs)


def _extend(font: TTFont, kind: str, glyphs: list[DrawnGlyph]) -> None:
    """Adds glyphs to every table that has something of each glyph."""
    order = list(font.getGlyphOrder())
    taken = set(order)
    cid = kind == "CFF " and hasattr(font["CFF "].cff.topDictIndex[0], "ROS")
    free = _free_cids(order) if cid else iter(())
    added: Added = {}
    for glyph in glyphs:
        name = f"cid{next(free):05d}" if cid else names.glyph_name(glyph.char, taken)
        taken.add(name)
        added[name] = glyph
    # Tables whose reading asks for the glyphs' names or number are read while both are still the old ones.
    for tag in ("hmtx", "vmtx", "vhea", "post", "hdmx", "LTSH", "sbix", "cmap"):
        if tag in font:
            font[tag]
    _drop_lookups(font)
    if "hdmx" in font:
        font["hdmx"].hdmx = {ppem: {name: widths[name] for name in order} for ppem, widths in font["hdmx"].hdmx.items()}
    font.setGlyphOrder([*order, *added])
    if "vmtx" in font:
        _add_heights(font, added, *_vertical(font, order))
    if kind == "glyf":
        _add_truetype(font, added, len(order))
    else:
        _add_cff(font, added)
    _add_widths(font, added)
    if "post" in font and font["post"].formatType not in (2.0, 3.0):
        font["post"].formatType = 2.0  # names of its own: formats 1 and 2.5 know only Apple's
        font["post"].extraNames, font["post"].mapping = [], {}
    if "DSIG" in font:
        del font["DSIG"]
        log.warning("the digital signature is taken out: it was one of the file as it came.")
    _add_characters(font, added)
    _widen_boxes(font, added)
    font["head"].modified = timestampNow()  # or SOURCE_DATE_EPOCH


def _add_truetype(font: TTFont, added: Added, there: int) -> None:
    """Appends to the bytes of glyf and loca; nothing that was there is taken apart."""
    starts = _glyph_starts(font)[: there + 1]
    content = bytearray(font.reader["glyf"][: starts[-1]])
    maxp = font["maxp"]
    for drawn in added.values():
        if drawn.outline.calls:
            glyph = drawing.truetype(drawn)
            data = glyph.compile(None, recalcBBoxes=True, optimizeSize=True)
            content += data + bytes(-len(data) % 4)
            maxp.maxPoints = max(maxp.maxPoints, len(glyph.coordinates))
            maxp.maxContours = max(maxp.maxContours, glyph.numberOfContours)
        starts.append(len(content))
    long = font["head"].indexToLocFormat == 1 or starts[-1] > SHORT_LOCA
    font["head"].indexToLocFormat = int(long)
    loca = np.array(starts, ">u4") if long else (np.array(starts) // 2).astype(">u2")
    for tag, data in (("glyf", bytes(content)), ("loca", loca.tobytes())):
        font[tag] = DefaultTable(tag)
        font[tag].data = data


def _glyph_starts(font: TTFont) -> list[int]:
    """Where each glyph starts in the bytes of glyf, and where the last ends."""
    long = font["head"].indexToLocFormat == 1
    return (np.frombuffer(font.reader["loca"], ">u4" if long else ">u2").astype(int) * (1 if long else 2)).tolist()


def _free_cids(order: list[str]) -> Iterator[int]:
    """Numbers for new glyphs: after the last, and when these run out, as in a part of a full font, those between."""
    taken = {int(name[3:]) for name in order if name.startswith("cid") and name[3:].isdigit()}
    last = max(taken, default=0)
    yield from range(last + 1, LAST_CID + 1)
    yield from (number for number in range(1, last) if number not in taken)


def _add_cff(font: TTFont, added: Added) -> None:
    """Appends charstrings without subroutines; what was there keeps its bytes, as fontTools does not read it."""
    cff = font["CFF "].cff
    top = cff.topDictIndex[0]
    strings, by_cid = top.CharStrings, hasattr(top, "ROS")
    if by_cid:
        # The dictionary that most glyphs use, which is that of the ideographs in the fonts this is for.
        chosen = Counter(top.FDSelect.gidArray).most_common(1)[0][0]
        private = top.FDArray[chosen].Private
        top.CIDCount = max(getattr(top, "CIDCount", 0), *(int(name[3:]) + 1 for name in added))
        for _ in added:
            top.FDSelect.append(chosen)
    else:
        private = top.Private
    top.charset = [*top.charset, *added]  # anew: it may be fontTools' own list
    for name, glyph in added.items():
        strings.charStrings[name] = len(strings.charStringsIndex)
        strings.charStringsIndex.append(drawing.charstring(glyph, private, cff.GlobalSubrs))
    if getattr(top, "FontBBox", None) and (ink := _ink(added)):
        top.FontBBox = list(_union([tuple(top.FontBBox), *ink]))


def _ink(added: Added) -> list[Bounds]:
    return [bounds for glyph in added.values() if (bounds := glyph.outline.bounds)]


def _add_widths(font: TTFont, added: Added) -> None:
    hhea, em = font["hhea"], font["head"].unitsPerEm
    for name, glyph in added.items():
        advance, bounds = int(glyph.advance), glyph.outline.bounds
        left = round(bounds[0]) if bounds else 0
        font["hmtx"][name] = (advance, left)
        hhea.advanceWidthMax = max(hhea.advanceWidthMax, advance)
        if bounds:
            right = round(bounds[2])
            hhea.minLeftSideBearing = min(hhea.minLeftSideBearing, left)
            hhea.minRightSideBearing = min(hhea.minRightSideBearing, advance - right)
            hhea.xMaxExtent = max(hhea.xMaxExtent, right)
    # The new glyphs have no hints, so their widths grow in proportion.
    if "hdmx" in font:
        for ppem, widths in font["hdmx"].hdmx.items():
            widths.update({name: min(255, round(glyph.advance * ppem / em)) for name, glyph in added.items()})
    if "LTSH" in font:
        font["LTSH"].yPels.update(dict.fromkeys(added, 1))


def _vertical(font: TTFont, order: list[str]) -> tuple[int, float]:
    """The usual height of a glyph, and how far its origin lies above the baseline, in font units."""
    metrics = font["vmtx"].metrics
    height = Counter(advance for advance, _ in metrics.values()).most_common(1)[0][0]
    if "VORG" in font:
        return height, font["VORG"].defaultVertOriginY
    if "glyf" in font:
        content, starts = font.reader["glyf"], _glyph_starts(font)
        origins: Counter[int] = Counter()
        for number in subsample_evenly(range(len(order)), 2000):
            advance, bearing = metrics[order[number]]
            if starts[number + 1] > starts[number] and advance == height:
                (top,) = struct.unpack_from(">h", content, starts[number] + 8)
                origins[top + bearing] += 1
        if origins:
            return height, origins.most_common(1)[0][0]
    return height, font["OS/2"].sTypoAscender if "OS/2" in font else font["hhea"].ascent


def _add_heights(font: TTFont, added: Added, height: int, origin: float) -> None:
    vhea = font["vhea"]
    for name, glyph in added.items():
        bounds = glyph.outline.bounds
        top = round(origin - bounds[3]) if bounds else 0
        font["vmtx"][name] = (height, top)
        if bounds:
            size = round(bounds[3] - bounds[1])
            vhea.minTopSideBearing = min(vhea.minTopSideBearing, top)
            vhea.minBottomSideBearing = min(vhea.minBottomSideBearing, height - top - size)
            vhea.yMaxExtent = max(vhea.yMaxExtent, top + size)


def _drop_lookups(font: TTFont) -> None:
    """Apple's lookups of format 0 list every glyph, so the new ones would be missing: tables with one go."""
    # Where a lookup starts, by the format that stands before it.
    for tag, starts in (("bsln", {1: 72, 3: 74}), ("prop", {1: 8}), ("lcar", {0: 6, 1: 6}), ("opbd", {0: 6, 1: 6})):
        data = font.reader[tag] if tag in font else b""
        start = starts.get(int.from_bytes(data[4:6], "big"))
        if start and data[start : start + 2] == b"\0\0":
            del font[tag]
            log.warning("the table %s is taken out: it lists each glyph and cannot be extended here.", tag)


def _add_characters(font: TTFont, added: Added) -> None:
    """Maps characters in every Unicode subtable of cmap, one that is made where there is none; variation sequences (format 14) stay as they are."""
    cmap = font["cmap"]
    before, legacy = character_map(font)
    everything = {ord(glyph.char): name for name, glyph in added.items()}
    in_bmp = {code: name for code, name in everything.items() if code <= BMP}
    # A format 6 lists one stretch of code points; as format 4 the same table takes any.
    for i, table in enumerate(cmap.tables):
        if table.isUnicode() and table.format == 6:
            cmap.tables[i] = _subtable(4, table.platformID, table.platEncID, table.language, table.cmap)
    if legacy:  # what it has stays, beside one that every program reads
        cmap.tables.append(_subtable(4, 3, 1, 0, {code: name for code, name in before.items() if code <= BMP}))
        log.info("the font gets a Unicode cmap beside the one that it has.")
    tables = [table for table in cmap.tables if table.isUnicode() and table.format != 14]
    if legacy:
        tables = [
            table for table in tables if table.platEncID == 1
        ]  # a table of symbols counts as Unicode to fontTools
    full = [table for table in tables if table.format in (10, 12)]
    for table in full:
        table.cmap.update(everything)
    fits = True
    for table in {id(table.cmap): table for table in tables if table.format == 4}.values():  # some share a dictionary
        old = dict(table.cmap)
        table.cmap.update(in_bmp)
        try:
            table.compile(font)
        except (struct.error, OverflowError):  # more than the 65,535 bytes that it can have
            table.cmap.clear()
            table.cmap.update(old)
            fits = False
    if not fits:
        log.warning(
            "the 16-bit cmap has no room left, so the new characters are in the 32-bit one alone, which all but very old "
            "programs read."
        )
    if (len(in_bmp) < len(everything) or not fits) and not full:
        places = [(3, 10), (0, 4)] if any(table.platformID == 0 for table in tables) else [(3, 10)]
        cmap.tables += [_subtable(12, *place, 0, before | everything) for place in places]
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


def _subtable(kind: int, platform: int, encoding: int, language: int, characters: dict[int, str]) -> Any:
    table = CmapSubtable.newSubtable(kind)
    table.platformID, table.platEncID, table.language, table.cmap = platform, encoding, language, characters
    return table


def _union(boxes: list[Any]) -> Bounds:
    left, bottom, right, top = zip(*boxes, strict=True)
    return min(left), min(bottom), max(right), max(top)


def _widen_boxes(font: TTFont, added: Added) -> None:
    """Widens the font's box, and what Windows clips at where accents would be lost.

    The line spacing stays, as another would move the lines of every document set in the font; that of old programs for
    Windows, which take it from where they clip, grows only for what all can see.
    """
    head, ink = font["head"], _ink(added)
    if not ink:
        return
    head.xMin, head.yMin, head.xMax, head.yMax = map(
        round, _union([(head.xMin, head.yMin, head.xMax, head.yMax), *ink])
    )
    if "OS/2" not in font:
        return
    top, bottom = font["OS/2"].usWinAscent, -font["OS/2"].usWinDescent
    _, lowest, _, highest = _union(ink)
    clipped = [g.char for g in added.values() if (box := g.outline.bounds) and (box[3] > top or box[1] < bottom)]
    if top > 0 and max(highest - top, bottom - lowest) > SEEN * head.unitsPerEm:
        os2, before = font["OS/2"], (top, -bottom)
        os2.usWinAscent, os2.usWinDescent = max(top, math.ceil(highest)), max(-bottom, math.ceil(-lowest))
        log.warning(
            "%d new glyphs reach over where programs for Windows clip: %s. usWinAscent and usWinDescent grow from %d and "
            "%d to %d and %d; ascender, descender and line gap stay.",
            *(len(clipped), shorten(clipped), *before, os2.usWinAscent, os2.usWinDescent),
        )
    elif clipped:
        log.warning(
            "%d new glyphs reach over the font's usWinAscent %d or usWinDescent %d (up to %.0f and %.0f), where some "
            "programs for Windows clip: %s. Line spacing stays as it is.",
            *(len(clipped), top, -bottom, highest, lowest, shorten(clipped)),
        )
