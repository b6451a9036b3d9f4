"""Fonts that are broken, or made to do harm: every kind that is known here, each built from a real one.

``python -m tests.untrusted.fonts`` tries them all and says what became of each, and what the dearest took.
"""

from __future__ import annotations

import argparse
import io
import logging
import random
import struct
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fontTools import designspaceLib, varLib
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTCollection, TTFont

from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import Frame
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError
from tests.helpers import KAI, box, make_font, part_of

CHARS = "永一口A"
PX = 64
FRAME = Frame(0.8 * PX, 0.1 * PX, 0.1 * PX)
TENTHS = range(10)

Maker = Callable[[], bytes]


@dataclass(frozen=True)
class Hostile:
    """
    Args:
        name: what is wrong with it.
        make: its bytes; dear ones are made only when they are tried.
        spec: what follows the file's name.
        glyphs: what it must draw if it draws without a warning; nothing if it must draw nothing, warned or not; None if
            any picture will do.
        refused: words of the refusal, where it must be refused.
    """

    name: str
    make: Maker
    ending: str = ".ttf"
    spec: str = ""
    glyphs: dict[str, bytes] | None = None
    refused: str | None = None


# -- sound fonts to start from ----------------------------------------------------------------


def truetype(folder: Path) -> bytes:
    return part_of(KAI, CHARS, folder / "kai.ttf").read_bytes()


def cff(folder: Path) -> bytes:
    charstrings = {}
    for name, corners in {
        ".notdef": (0, 0, 100, 100),
        "one": (80, 300, 900, 400),
        "mouth": (250, 130, 750, 630),
    }.items():
        pen = T2CharStringPen(1000, None)
        x0, y0, x1, y1 = corners
        pen.moveTo((x0, y0))
        for point in ((x0, y1), (x1, y1), (x1, y0)):
            pen.lineTo(point)
        pen.closePath()
        charstrings[name] = pen.getCharString()
    return _cff_font(folder, charstrings, {ord("一"): "one", ord("口"): "mouth"})


def _cff_font(folder: Path, charstrings: dict[str, object], cmap: dict[int, str]) -> bytes:
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder(list(charstrings))
    builder.setupCharacterMap(cmap)
    builder.setupCFF("Test", {}, charstrings, {})
    builder.setupHorizontalMetrics(dict.fromkeys(charstrings, (1000, 0)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": "Test", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120)
    builder.setupPost()
    builder.save(folder / "cff.otf")
    return (folder / "cff.otf").read_bytes()


def variable(folder: Path) -> bytes:
    space = designspaceLib.DesignSpaceDocument()
    axis = designspaceLib.AxisDescriptor()
    axis.tag, axis.name, axis.minimum, axis.default, axis.maximum = "wght", "Weight", 100, 100, 900
    axis.map = [(100, 100), (500, 600), (900, 900)]
    space.addAxis(axis)
    for weight, right in ((100, 300), (900, 900)):
        source = designspaceLib.SourceDescriptor()
        source.font = TTFont(make_font(folder / f"{weight}.ttf", {"一": box(0, 300, right, 400)}))
        source.location = {"Weight": weight}
        space.addSource(source)
    font, _, _ = varLib.build(space)
    return _saved(font)


def collection(folder: Path) -> bytes:
    both = TTCollection()
    both.fonts = [TTFont(make_font(folder / f"{k}.ttf", {"一": box(0, 300, 500 + k, 400)})) for k in (0, 1)]
    content = io.BytesIO()
    both.save(content)
    return content.getvalue()


def _saved(font: TTFont, flavor: str | None = None) -> bytes:
    font.flavor = flavor
    content = io.BytesIO()
    font.save(content)
    return content.getvalue()


def packed(data: bytes, flavor: str) -> bytes:
    return _saved(TTFont(io.BytesIO(data)), flavor)


# -- taking fonts apart and putting them together, whatever they hold ------------------------------


def tables_of(data: bytes) -> dict[str, bytes]:
    font = TTFont(io.BytesIO(data), lazy=True)
    return {tag: font.reader[tag] for tag in font.reader.keys()}  # noqa: SIM118  # no dictionary


def put_together(tables: dict[str, bytes], version: bytes = b"\0\1\0\0") -> bytes:
    """A font file with right checksums."""
    head = bytearray(tables.get("head", b""))
    if len(head) >= 12:
        head[8:12] = bytes(4)
        tables = {**tables, "head": bytes(head)}
    offset, directory, body = 12 + 16 * len(tables), b"", b""
    for tag, content in sorted(tables.items()):
        directory += struct.pack(">4sLLL", tag.encode("latin-1"), _sum(content), offset + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    data = bytearray(version + struct.pack(">HHHH", len(tables), 0, 0, 0) + directory + body)
    at = next((struct.unpack_from(">L", data, 12 + 16 * k + 8)[0] for k in range(len(tables)) if data[12 + 16 * k :][:4] == b"head"), None)  # fmt: skip
    if at is not None and len(head) >= 12:
        struct.pack_into(">L", data, at + 8, (0xB1B0AFBA - _sum(bytes(data))) & 0xFFFFFFFF)
    return bytes(data)


def _sum(content: bytes) -> int:
    return int(np.frombuffer(content + bytes(-len(content) % 4), ">u4").sum(dtype=np.uint64)) & 0xFFFFFFFF


def _with(data: bytes, **changed: bytes | None) -> bytes:
    """A font with tables changed, added or taken away; ``OS2`` is OS/2."""
    tables = tables_of(data)
    for key, content in changed.items():
        tag = {"OS2": "OS/2", "cvt": "cvt ", "CFF": "CFF "}.get(key, key)
        if content is None:
            tables.pop(tag, None)
        else:
            tables[tag] = content
    return put_together(tables, data[:4])


def _patched(data: bytes, tag: str, at: int, form: str, *values: float) -> bytes:
    table = bytearray(tables_of(data)[tag])
    struct.pack_into(form, table, at, *values)
    return put_together({**tables_of(data), tag: bytes(table)}, data[:4])


# -- what is wrong with them ------------------------------------------------------------------


def damaged(kind: str, data: bytes, ending: str, glyphs: dict[str, bytes], spec: str, seed: int) -> Iterator[Hostile]:
    """Files cut short, emptied and with single bits turned: none may be drawn otherwise without a warning."""
    for tenth in TENTHS:
        cut = data[: len(data) * tenth // 10]
        yield Hostile(f"{kind}, cut at {tenth}/10", lambda cut=cut: cut, ending, spec, glyphs)
    yield Hostile(f"{kind}, all zeros", lambda: bytes(len(data)), ending, spec, glyphs, "")
    yield Hostile(
        f"{kind}, its second half zeros", lambda: data[: len(data) // 2].ljust(len(data), b"\0"), ending, spec, glyphs
    )
    rng = random.Random(seed)
    told = None if kind == "WOFF2" else glyphs  # which has no checksums: what still unpacks is drawn
    for place in [*range(0, 48, 5), *(rng.randrange(len(data)) for _ in range(20))]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        yield Hostile(
            f"{kind}, a bit turned in byte {place}", lambda flipped=flipped: bytes(flipped), ending, spec, told
        )


def broken_tables(kind: str, data: bytes, ending: str, spec: str, seed: int) -> Iterator[Hostile]:
    """Each table cut, emptied, zeroed, filled with ones and with bits turned, under right checksums."""
    rng = random.Random(seed)
    for tag, content in tables_of(data).items():
        flipped = bytearray(content)
        for _ in range(3):
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        for how, broken in {
            "cut in half": content[: len(content) // 2],
            "of one byte": content[:1],
            "zeroed": bytes(len(content)),
            "all ones": b"\xff" * len(content),
            "ones after its head": content[:4] + b"\xff" * (len(content) - 4),
            "three bits turned": bytes(flipped),
        }.items():
            made = put_together({**tables_of(data), tag: broken}, data[:4])
            yield Hostile(f"{kind}, table {tag} {how}", lambda made=made: made, ending, spec)
        without = {t: c for t, c in tables_of(data).items() if t != tag}
        yield Hostile(f"{kind}, without {tag}", lambda without=without: put_together(without, data[:4]), ending, spec)


def lying_lists(data: bytes) -> Iterator[Hostile]:
    """The list of tables at the head of the file."""

    def listed(change: Callable[[bytearray], object]) -> bytes:
        changed = bytearray(data)
        change(changed)
        return bytes(changed)

    count = struct.unpack_from(">H", data, 4)[0]
    glyf = next(12 + 16 * k for k in range(count) if data[12 + 16 * k :][:4] == b"glyf")
    yield Hostile("65535 tables", lambda: listed(lambda d: struct.pack_into(">H", d, 4, 65535)))
    yield Hostile("no tables", lambda: listed(lambda d: struct.pack_into(">H", d, 4, 0)), refused="")
    yield Hostile("glyf beyond the end", lambda: listed(lambda d: struct.pack_into(">L", d, glyf + 8, 0xFFFFFFF0)))
    yield Hostile("glyf of 4 GB", lambda: listed(lambda d: struct.pack_into(">L", d, glyf + 12, 0xFFFFFFFF)))
    yield Hostile("glyf over the head", lambda: listed(lambda d: struct.pack_into(">L", d, glyf + 8, 0)))
    yield Hostile(
        "the same table 4000 times", lambda: data[:4] + struct.pack(">H", 4000) + data[6:12] + data[12:28] * 4000
    )
    yield Hostile("65535 tables that are there", lambda: data[:4] + struct.pack(">H", 65535) + data[6:12] + b"".join(struct.pack(">LLLL", 0x41414141 + k, 0, 12, 2**20) for k in range(65535)))  # fmt: skip


def composites(data: bytes) -> Iterator[Hostile]:
    """Glyphs made of glyphs."""

    def font(glyphs: list[bytes]) -> bytes:
        """``glyphs`` from number 0 on; the last stands for 永."""
        starts = np.cumsum([0, *(len(glyph) for glyph in glyphs)])
        tables = tables_of(data)
        maxp, head, hhea = (bytearray(tables[tag]) for tag in ("maxp", "head", "hhea"))
        struct.pack_into(">H", maxp, 4, len(glyphs))
        struct.pack_into(">H", maxp, 30, 200)
        struct.pack_into(">h", head, 50, 1)
        struct.pack_into(">H", hhea, 34, 1)
        return put_together({
            "head": bytes(head), "maxp": bytes(maxp), "hhea": bytes(hhea), "OS/2": tables["OS/2"], "name": tables["name"],
            "hmtx": struct.pack(">Hh", 1000, 0) + bytes(2 * (len(glyphs) - 1)), "cmap": _cmap_12([(ord("永"), ord("永"), len(glyphs) - 1)]),
            "glyf": b"".join(glyphs), "loca": b"".join(struct.pack(">L", s) for s in starts),
        })  # fmt: skip

    def of(*parts: int) -> bytes:
        """A composite of glyphs, each in its place."""
        body = struct.pack(">hhhhh", -1, 0, 0, 1000, 1000)
        for k, part in enumerate(parts):
            more = 0x0020 if k + 1 < len(parts) else 0
            body += struct.pack(">HHhh", 0x0001 | 0x0002 | more, part, 0, 0)
        return body + bytes(-len(body) % 4)

    square = (
        struct.pack(">hhhhh", 1, 0, 0, 500, 500)
        + struct.pack(">HH", 3, 0)
        + b"\1\1\1\1"
        + struct.pack(">8h", 0, 0, 500, 0, 0, 500, -500, 0)[:16]
    )
    square += bytes(-len(square) % 4)
    yield Hostile("a composite of itself", lambda: font([square, of(1)]), glyphs={})
    yield Hostile("two composites of each other", lambda: font([square, of(2), of(1)]), glyphs={})
    yield Hostile("a chain of 5000 composites", lambda: font([square, *(of(k) for k in range(5000))]))
    yield Hostile("a chain of 60000 composites", lambda: font([square, *(of(k) for k in range(60000))]))
    for leaf, name in (
        (square, "squares"),
        (b"", "nothing"),
        (struct.pack(">hhhhhH", 0, 0, 0, 0, 0, 0), "no contours"),
    ):
        doubled = [leaf, *(of(k, k) for k in range(60))]
        yield Hostile(f"2^60 times {name}", lambda doubled=doubled: font(doubled), glyphs={})
    wide = [b"", *(of(*[k] * 4000) for k in range(6))]
    yield Hostile("4000^6 times nothing", lambda: font(wide), glyphs={})
    yield Hostile("a composite of glyphs that are not there", lambda: font([square, of(60000)]))
    yield Hostile(
        "a glyph of 65535 contours", lambda: font([square, struct.pack(">hhhhh", 32767, 0, 0, 9, 9) + bytes(70000)])
    )
    yield Hostile("a glyph of 32767 points, each across the whole", lambda: font([square, _zigzag(32_000)]))
    yield Hostile(
        "instructions of 65535 bytes that are not there",
        lambda: font([square, square[:12] + b"\xff\xff" + square[14:]]),
    )


def _zigzag(points: int) -> bytes:
    """One contour that goes up and down through all that coordinates can say."""
    flags = b"\x01" * points
    xs = b"".join(struct.pack(">h", 3 if k % 9 else -20) for k in range(points))
    ys = b"".join(struct.pack(">h", -32000 if k % 2 else 32000) for k in range(points))
    body = struct.pack(">hhhhh", 1, -9999, 0, 9999, 9999) + struct.pack(">HH", points - 1, 0) + flags + xs + ys
    return body + bytes(-len(body) % 4)


def _cmap_12(groups: list[tuple[int, int, int]], kind: int = 12) -> bytes:
    table = struct.pack(">HHLLL", kind, 0, 16 + 12 * len(groups), 0, len(groups))
    table += b"".join(struct.pack(">LLL", *group) for group in groups)
    return struct.pack(">HHHHL", 0, 1, 3, 10, 12) + table


def _cmap_4(segments: list[tuple[int, int]]) -> bytes:
    ends, starts = ([segment[k] for segment in segments] for k in (1, 0))
    count = len(segments)
    body = struct.pack(">HHHH", 2 * count, 0, 0, 0) + b"".join(struct.pack(">H", e) for e in ends) + b"\0\0"
    body += b"".join(struct.pack(">H", s) for s in starts) + b"\0\1" * count + bytes(2 * count)
    return struct.pack(">HHHHL", 0, 1, 3, 1, 12) + struct.pack(">HHH", 4, min(65535, 6 + len(body)), 0) + body


def character_maps(data: bytes) -> Iterator[Hostile]:
    def font(cmap: bytes) -> bytes:
        return _with(data, cmap=cmap)

    every, count = (0, 0xFFFFFFFF, 0), 0x10FFFF
    for kind in (12, 13):
        yield Hostile(f"cmap {kind} of all 32-bit numbers", lambda kind=kind: font(_cmap_12([every], kind)))
        yield Hostile(
            f"cmap {kind}, 5000 groups of all Unicode",
            lambda kind=kind: font(_cmap_12([(0, count, 1)] * 5000, kind)),
        )
        yield Hostile(
            f"cmap {kind} of more groups than bytes",
            lambda kind=kind: font(_cmap_12([(0, 9, 1)], kind)[:24] + b"\xff" * 16),
        )
    yield Hostile("cmap 12, a group that ends before it begins", lambda: font(_cmap_12([(99, 5, 1)])))
    yield Hostile("cmap 12 of surrogates", lambda: font(_cmap_12([(0xD800, 0xDFFF, 1), (0x6C38, 0x6C38, 1)])))
    yield Hostile("cmap 12 beyond Unicode", lambda: font(_cmap_12([(0x6C38, 0x6C38, 1), (0x110000, 0x110009, 1)])))
    yield Hostile("cmap 12 to glyphs that are not there", lambda: font(_cmap_12([(0x4E00, 0x9FFF, 60000)])))
    yield Hostile("cmap 4, 8000 segments of all", lambda: font(_cmap_4([(0, 65535)] * 8000)))
    yield Hostile("cmap 4, 16000 segments that overlap", lambda: font(_cmap_4([(k, 65535) for k in range(16000)])))
    yield Hostile(
        "cmap of 65535 subtables", lambda: font(struct.pack(">HH", 0, 65535) + struct.pack(">HHL", 3, 10, 12) * 65535)
    )
    shared = _cmap_12([(0x20, 0x10FFFF, 1)])[12:]
    tables = 4000
    yield Hostile("cmap of 4000 subtables, each all of Unicode", lambda: font(
        struct.pack(">HH", 0, tables) + b"".join(struct.pack(">HHL", 3, 10, 4 + 8 * tables + 28 * k) for k in range(tables)) + shared * tables
    ))  # fmt: skip
    yield Hostile("an empty cmap", lambda: font(struct.pack(">HH", 0, 0)), refused="cmap")
    yield Hostile("a cmap of no characters", lambda: font(_cmap_12([])), refused="cmap")
    mac = struct.pack(">HHHHL", 0, 1, 1, 0, 12) + struct.pack(">HHH", 0, 262, 0) + bytes(range(256))
    yield Hostile("a cmap without Unicode", lambda: font(mac), refused="cmap")
    uvs = struct.pack(">HHHHL", 0, 1, 0, 5, 12) + struct.pack(">HLL", 14, 4_000_000, 300_000)
    yield Hostile("cmap 14 of 300000 selectors", lambda: font(uvs + b"\0\xfe\0\0\0\0\x15\0\0\0\0" * 300_000))


def counts(data: bytes) -> Iterator[Hostile]:
    yield Hostile("maxp of 65535 glyphs", lambda: _patched(data, "maxp", 4, ">H", 65535))
    yield Hostile("maxp of no glyphs", lambda: _patched(data, "maxp", 4, ">H", 0))
    yield Hostile("maxp of all ones", lambda: _patched(data, "maxp", 6, ">13H", *[65535] * 13))
    yield Hostile("65535 widths", lambda: _patched(data, "hhea", 34, ">H", 65535))
    for em in (0, 1, 15, 16385, 65535):
        yield Hostile(f"unitsPerEm {em}", lambda em=em: _patched(data, "head", 18, ">H", em), refused="")
    for em in (16, 16384):
        yield Hostile(f"unitsPerEm {em}", lambda em=em: _patched(data, "head", 18, ">H", em))
    for up, down in ((32767, -32768), (-32768, 32767), (32767, 32767)):
        changed = {"OS/2": (68, up, down), "hhea": (4, up, down)}

        def made(changed: dict[str, tuple[int, int, int]] = changed) -> bytes:
            font = data
            for tag, (at, *values) in changed.items():
                font = _patched(font, tag, at, ">hh", *values)
            return font

        yield Hostile(f"ascent {up}, descent {down}", made)
    yield Hostile("loca of ones", lambda: _with(data, loca=b"\xff" * len(tables_of(data)["loca"])))
    yield Hostile("loca that goes back", lambda: _with(data, loca=tables_of(data)["loca"][::-1]))


EVIL = "\x1b[2J\x07\r\nevil\u202e<script>alert(1)</script>/../../etc/passwd\0\u2028'\"`$(id);"


def names(data: bytes) -> Iterator[Hostile]:
    def named(text: str) -> bytes:
        font = TTFont(io.BytesIO(data))
        for name_id in (0, 1, 2, 4, 5, 6, 10, 13, 14, 16, 17):
            font["name"].setName(text, name_id, 3, 1, 0x409)
        return _saved(font)

    yield Hostile("names that are code", lambda: named(EVIL))
    yield Hostile("a name of 30000 characters", lambda: named("W" * 30_000))
    yield Hostile(
        "65535 names",
        lambda: _with(
            data,
            name=struct.pack(">HHH", 0, 65535, 6 + 12 * 65535 & 0xFFFF)
            + struct.pack(">HHHHHH", 3, 1, 0x409, 13, 65000, 0) * 65535,
        ),
    )
    licence = "You may not may not cannot modif ".encode("utf-16-be") * 900
    yield Hostile("5000 licences that overlap", lambda: _with(data, name=struct.pack(">HHH", 0, 5000, 6 + 12 * 5000) + b"".join(struct.pack(">HHHHHH", 3, 1, 0x409, 13, len(licence) - 2 * k, 2 * k) for k in range(5000)) + licence))  # fmt: skip
    yield Hostile(
        "names that are half a surrogate pair",
        lambda: _with(
            data, name=struct.pack(">HHH", 0, 1, 18) + struct.pack(">HHHHHH", 3, 1, 0x409, 1, 4, 0) + b"\xd8\0\xd8\0"
        ),
    )


def variations(data: bytes) -> Iterator[Hostile]:
    fvar = tables_of(data)["fvar"]
    for name, at, form, values in (
        ("65535 axes", 8, ">H", (65535,)), ("65535 instances", 12, ">H", (65535,)), ("axes of no bytes", 10, ">H", (0,)),
        ("axes that begin beyond the end", 4, ">H", (65000,)), ("an axis from 900 to 100", 20, ">ll", (900 << 16, 100 << 16)),
        ("an axis from -32768 to 32767", 20, ">lll", (-(1 << 31), 0, (1 << 31) - 1)),
    ):  # fmt: skip
        yield Hostile(
            f"fvar of {name}",
            lambda at=at, form=form, values=values: _patched(data, "fvar", at, form, *values),
            spec="@wght=500",
        )
    for tag in ("gvar", "avar", "HVAR", "fvar"):
        content = tables_of(data)[tag]
        yield Hostile(
            f"{tag} of ones",
            lambda tag=tag, content=content: _with(data, **{tag: content[:8] + b"\xff" * (len(content) - 8)}),
            spec="@wght=500",
        )
        yield Hostile(
            f"{tag} cut short",
            lambda tag=tag, content=content: _with(data, **{tag: content[: len(content) - 9]}),
            spec="@wght=500",
        )
    yield Hostile(
        "an instance that is not a number", lambda: data, spec="@wght=nan", refused="no such instance", glyphs=None
    )
    yield Hostile("an instance beyond all numbers", lambda: data, spec="@wght=1e999", refused="no such instance")
    assert fvar


def subroutines(folder: Path) -> Iterator[Hostile]:
    """CFF outlines: programs, which call programs."""

    def bomb(depth: int, calls: int, *, draws: bool) -> bytes:
        font = TTFont(io.BytesIO(cff(folder)), recalcBBoxes=False)
        top = font["CFF "].cff.topDictIndex[0]
        from fontTools.cffLib import SubrsIndex
        from fontTools.misc.psCharStrings import T2CharString

        private = top.Private
        private.Subrs = SubrsIndex()
        leaf = [10, 10, "rlineto", "return"] if draws else ["return"]
        for k in range(depth):
            program = leaf if k == 0 else [*([k - 1 - 107, "callsubr"] * calls), "return"]
            private.Subrs.append(T2CharString(program=program, private=private))
        strings = top.CharStrings
        strings["one"] = T2CharString(program=[0, "hmoveto", depth - 1 - 107, "callsubr", "endchar"], private=private)
        return _saved(font)

    yield Hostile("subroutines 1000^8 times a line", lambda: bomb(9, 1000, draws=True), ".otf")
    yield Hostile("subroutines 1000^8 times nothing", lambda: bomb(9, 1000, draws=False), ".otf")

    def itself() -> bytes:
        font = TTFont(io.BytesIO(cff(folder)), recalcBBoxes=False)
        from fontTools.cffLib import SubrsIndex
        from fontTools.misc.psCharStrings import T2CharString

        private = font["CFF "].cff.topDictIndex[0].Private
        private.Subrs = SubrsIndex()
        private.Subrs.append(T2CharString(program=[-107, "callsubr", "return"], private=private))
        font["CFF "].cff.topDictIndex[0].CharStrings["one"] = T2CharString(
            program=[0, "hmoveto", -107, "callsubr", "endchar"], private=private
        )
        return _saved(font)

    yield Hostile("a subroutine that calls itself", itself, ".otf")


def containers(data: bytes) -> Iterator[Hostile]:
    """WOFF and WOFF2 that unpack to gigabytes, and files that are no fonts."""
    zeros = 1 << 30

    def woff(real: int, said: int) -> bytes:
        squeezer = zlib.compressobj(9)
        squeezed = b"".join(squeezer.compress(bytes(1 << 24)) for _ in range(real >> 24)) + squeezer.flush()
        tables = [
            (tag, zlib.compress(content), len(content)) for tag, content in tables_of(data).items() if tag != "glyf"
        ]
        tables.append(("glyf", squeezed, said))
        offset, directory, body = 44 + 20 * len(tables), b"", b""
        for tag, content, length in sorted(tables):
            if len(content) >= length:
                content = tables_of(data)[tag]
            directory += struct.pack(">4sLLLL", tag.encode(), offset + len(body), len(content), length, 0)
            body += content + bytes(-len(content) % 4)
        total = 12 + sum(16 + (length + 3 & ~3) for _, _, length in tables)
        head = struct.pack(
            ">4s4sLHHLHHLLLLL",
            b"wOFF",
            data[:4],
            offset + len(body),
            len(tables),
            0,
            total & 0xFFFFFFFF,
            1,
            0,
            0,
            0,
            0,
            0,
            0,
        )
        return head + directory + body

    yield Hostile("a WOFF of 1 MB that unpacks to 1 GB", lambda: woff(zeros, zeros), ".woff", refused="")
    yield Hostile(
        "a WOFF that says 100 bytes and unpacks to 1 GB", lambda: woff(zeros, 100_000_000), ".woff", refused=""
    )
    yield Hostile("a WOFF that says 4 GB", lambda: woff(1 << 24, 0xFFFFFFF0), ".woff", refused="")

    def woff2(real: int) -> bytes:
        import brotli

        squeezer = brotli.Compressor(quality=1, lgwin=24)
        squeezed = b"".join(squeezer.process(bytes(1 << 24)) for _ in range(real >> 24)) + squeezer.finish()
        sound = packed(data, "woff2")
        directory_end = len(sound) - struct.unpack_from(">L", sound, 20)[0]
        made = bytearray(sound[:directory_end] + squeezed)
        struct.pack_into(">L", made, 8, len(made))
        struct.pack_into(">L", made, 20, len(squeezed))
        return bytes(made)

    yield Hostile("a WOFF2 that unpacks to 4 GB", lambda: woff2(4 << 30), ".woff2", refused="")
    for name, content in {
        "a zip": b"PK\3\4" + bytes(200), "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(200), "a page": b"<!DOCTYPE html><p>",
        "nothing": b"", "one byte": b"\0", "text": "永字八法".encode() * 99, "a Type 1 font": b"%!PS-AdobeFont-1.0: X\n" + bytes(99),
        "a bitmap font": b"STARTFONT 2.1\nFONT x\nSIZE 8 75 75\nFONTBOUNDINGBOX 8 8 0 0\nCHARS 0\nENDFONT\n",
        "a PCF": b"\1fcp" + b"\xff" * 99, "gzip": b"\x1f\x8b\x08" + bytes(99), "a Mac resource": bytes(16) + b"\0\0\1\0" * 64,
    }.items():  # fmt: skip
        yield Hostile(f"{name}, called a font", lambda content=content: content, refused="")
    yield Hostile("only bitmaps", lambda: _with(data, glyf=None, loca=None, EBLC=bytes(8), EBDT=bytes(8)), refused="")


def collections(data: bytes) -> Iterator[Hostile]:
    head = b"ttcf\0\1\0\0"
    yield Hostile("a collection without #n", lambda: data, ".ttc", refused="collection of 2 fonts")
    yield Hostile("a collection, face 2 of 2", lambda: data, ".ttc", "#2", refused="has 2 fonts")
    yield Hostile("a collection, a face with a number of 30 digits", lambda: data, ".ttc", "#" + "9" * 30, refused="")
    yield Hostile("a collection of no fonts", lambda: head + bytes(4) + data[12:], ".ttc", refused="")
    yield Hostile("a collection of 4 billion fonts", lambda: head + b"\xff" * 4 + data[12:], ".ttc", "#0", refused="")
    yield Hostile(
        "a collection of 100000 times the same font",
        lambda: head + struct.pack(">L", 100_000) + struct.pack(">L", 12 + 400_000) * 100_000 + data[20:],
        ".ttc",
        "#0",
        refused="",
    )
    yield Hostile(
        "a collection that holds itself", lambda: head + struct.pack(">LL", 1, 0) + data[16:], ".ttc", refused=""
    )


def every(folder: Path, seed: int = 0, more: int = 1) -> Iterator[Hostile]:
    """All hostile fonts. Args: seed: which bits are turned; more: how many times as many of those."""
    kinds = {
        "TrueType": (truetype(folder), ".ttf", ""), "CFF": (cff(folder), ".otf", ""),
        "variable": (variable(folder), ".ttf", "@wght=500"), "collection": (collection(folder), ".ttc", "#1"),
        "WOFF": (packed(truetype(folder), "woff"), ".woff", ""), "WOFF2": (packed(cff(folder), "woff2"), ".woff2", ""),
    }  # fmt: skip
    for kind, (data, ending, spec) in kinds.items():
        sound = folder / f"sound{ending}"
        sound.write_bytes(data)
        glyphs = drawings(open_glyphs(f"{sound}{spec}"))
        for k in range(more):
            yield from damaged(kind, data, ending, glyphs, spec, seed + k)
        if kind in ("TrueType", "CFF", "variable"):
            for k in range(more):
                yield from broken_tables(kind, data, ending, spec, seed + k)
    data = kinds["TrueType"][0]
    for group in (lying_lists, composites, character_maps, counts, names, containers):
        yield from group(data)
    yield from variations(kinds["variable"][0])
    yield from collections(kinds["collection"][0])
    yield from subroutines(folder)


# -- trying one -------------------------------------------------------------------------------


def drawings(glyphs: FontGlyphs) -> dict[str, bytes]:
    return {char: glyphs.rasterize(char, FRAME, PX).tobytes() for char in glyphs.coverage(list(CHARS)).present}


@dataclass(frozen=True)
class Outcome:
    said: str  # the refusal; empty if the font was taken
    warned: bool
    drawn: dict[str, bytes]


def attempt(one: Hostile, folder: Path) -> Outcome:
    """Opens a font as the program does and draws it. Raises: whatever is no refusal."""
    file = folder / f"hostile{one.ending}"
    file.write_bytes(one.make())
    try:
        glyphs = open_glyphs(f"{file}{one.spec}")
        glyphs.coverage(None)
        glyphs.describe()
        diagnostics = glyphs.coverage(list(CHARS)).diagnostics
        return Outcome("", any(finding.level != "note" for finding in diagnostics), drawings(glyphs))
    except DataError as error:
        return Outcome(str(error), False, {})


def wrong_with(one: Hostile, outcome: Outcome) -> str:
    """Why an outcome breaks the promise; empty if it keeps it."""
    if one.refused is not None and (not outcome.said or one.refused not in outcome.said):
        return f"was to be refused with {one.refused!r}, and was {outcome.said or 'taken'!r}"
    if outcome.said and ("\n" in outcome.said or not outcome.said.isprintable()):
        return f"the refusal is not one plain line: {outcome.said!r}"
    if one.glyphs == {} and outcome.drawn:
        return f"draws {len(outcome.drawn)} glyphs"
    if not outcome.said and not outcome.warned and one.glyphs is not None and outcome.drawn != one.glyphs:
        return "is drawn otherwise, and nothing is said"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """Tries all. Returns: 0 if every one kept the promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--more", type=int, default=1, help="how many times as many damaged files")
    parser.add_argument("--seed", type=int, default=0, help="which bits are turned")
    parser.add_argument("--only", default="", help="those whose name holds these words")
    options = parser.parse_args(arguments)
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)
    outcomes: Counter[str] = Counter()
    dearest: list[tuple[float, str]] = []
    with tempfile.TemporaryDirectory() as name:
        for one in every(Path(name), options.seed, options.more):
            if options.only not in one.name:
                continue
            began = time.perf_counter()
            outcome = attempt(one, Path(name))
            dearest.append((time.perf_counter() - began, f"{one.name}: {outcome.said.partition(': ')[2] or 'taken'}"))
            wrong = wrong_with(one, outcome)
            outcomes["refused" if outcome.said else "taken with a warning" if outcome.warned else "taken"] += 1
            if wrong:
                outcomes["BROKEN PROMISE"] += 1
                print(f"{one.name}: {wrong}")
    print(*(f"{count} {what}" for what, count in outcomes.items()), sep=", ")
    for seconds, what in sorted(dearest, reverse=True)[:8]:
        print(f"{seconds:5.1f} s  {what[:150]}")
    return int(outcomes["BROKEN PROMISE"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
