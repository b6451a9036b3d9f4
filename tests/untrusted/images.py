"""Glyph images as strangers might send them, made anew each time: broken, lying, huge, odd, and right."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageCms

from fontgan.data.frame import Frame
from fontgan.data.sources import open_glyphs

SIDE = 64
FLIPS = 40  # files of each kind with one bit flipped
LOST = {  # what Pillow writes otherwise than it was, and no reader can tell: no transparency, levels cut off
    "BMP": ("RGBA",), "PPM": ("RGBA",), "GIF": ("LA", "RGBA", "I;16"), "WEBP": ("I;16",), "AVIF": ("I;16",),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One file.

    Args:
        kind: what is tried.
        name: of the file, without the character that it is called by.
        truth: the glyph that it may give, (H, W) uint8, 0 ink .. 255 paper; None if it may only be refused.
        tolerance: by how many grey levels a right glyph may differ from the truth on average.
        checked: whether its format carries a checksum of its pixels, so that damage must be noticed.
        must: "read" or "refuse" where only that is right; "" for either.
    """

    kind: str
    name: str
    ending: str
    data: bytes
    truth: np.ndarray | None = None
    tolerance: float = 0.0
    checked: bool = True
    must: str = ""


@cache
def glyph() -> np.ndarray:
    """A real glyph, which no turn and no flip leaves as it is."""
    drawn = open_glyphs("asset:NotoSansSC-Regular.ttf").rasterize("永", Frame(SIDE), SIDE)
    drawn.flags.writeable = False
    return drawn


def two_levels() -> np.ndarray:
    return np.where(glyph() < 128, 0, 255).astype(np.uint8)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def plain(mode: str = "L") -> Image.Image:
    return Image.fromarray(glyph()).convert(mode)


# -- files that are whole ---------------------------------------------------------------------

WHOLE: dict[str, Callable[[], bytes]] = {
    "png": lambda: saved(plain(), "PNG"),
    "png-rgba": lambda: saved(plain("RGBA"), "PNG"),
    "png-interlaced": lambda: interlaced_png(),
    "jpg": lambda: saved(plain(), "JPEG", quality=95),
    "jpg-progressive": lambda: saved(plain("RGB"), "JPEG", quality=95, progressive=True),
    "gif": lambda: saved(plain(), "GIF"),
    "tif": lambda: saved(plain(), "TIFF"),
    "tif-lzw": lambda: saved(plain(), "TIFF", compression="tiff_lzw"),
    "tif-deflate": lambda: saved(plain("RGB"), "TIFF", compression="tiff_adobe_deflate"),
    "tif-jpeg": lambda: saved(plain("RGB"), "TIFF", compression="jpeg", quality=95),
    "webp": lambda: saved(plain("RGB"), "WEBP", quality=95),
    "webp-lossless": lambda: saved(plain("RGBA"), "WEBP", lossless=True),
    "bmp": lambda: saved(plain(), "BMP"),
    "bmp-rle": lambda: rle_bmp(glyph()),
    "pgm": lambda: saved(plain(), "PPM"),
    "pgm-plain": lambda: b"P2 %d %d 255\n" % (SIDE, SIDE) + b" ".join(b"%d" % v for v in glyph().ravel()),
    "ppm-rare": lambda: b"P5 %d %d 254\n" % (SIDE, SIDE) + np.minimum(glyph(), 254).tobytes(),
    "avif": lambda: saved(plain("RGB"), "AVIF", quality=95),
}


def ending_of(kind: str) -> str:
    return kind.partition("-")[0]


def tolerance_of(kind: str) -> float:
    return 4.0 if ending_of(kind) in ("jpg", "webp", "avif") or kind == "tif-jpeg" else 1.0


def whole() -> Iterator[Case]:
    for kind, make in WHOLE.items():
        yield Case("whole", kind, ending_of(kind), make(), glyph(), tolerance_of(kind), must="read")


def truncated() -> Iterator[Case]:
    """Cut at every tenth, and by the last byte and bytes."""
    for kind, make in WHOLE.items():
        data = make()
        for length in [*(len(data) * tenth // 10 for tenth in range(10)), len(data) - 1, len(data) - 2]:
            yield Case("truncated", f"{kind} to {length}", ending_of(kind), data[:length], glyph(), tolerance_of(kind))


def flipped() -> Iterator[Case]:
    """One bit each, of the whole file and of its first bytes, where descriptions are."""
    for kind, make in WHOLE.items():
        data, chance = make(), random.Random(kind)
        for number in range(FLIPS):
            broken = bytearray(data)
            at = chance.randrange(len(data) if number % 2 else min(64, len(data)))
            broken[at] ^= 1 << chance.randrange(8)
            yield Case(
                "bit flipped", f"{kind} at {at}", ending_of(kind), bytes(broken), glyph(), tolerance_of(kind),
                checked=ending_of(kind) == "png",
            )  # fmt: skip


def overwritten() -> Iterator[Case]:
    """Numbers in descriptions at their extremes; stretches that are lost."""
    for kind, make in WHOLE.items():
        data, chance = make(), random.Random(kind)
        for number in range(FLIPS):
            broken = bytearray(data)
            at, width = chance.randrange(min(200, len(data) - 4)), chance.choice([1, 2, 4])
            broken[at : at + width] = chance.choice([b"\xff", b"\x00", b"\x7f"]) * width
            if number % 4 == 0:
                at = chance.randrange(len(data) // 2)
                broken[at : at + len(data) // 5] = bytes(len(data) // 5)
            yield Case(
                "overwritten", f"{kind} {number}", ending_of(kind), bytes(broken), glyph(), tolerance_of(kind),
                checked=ending_of(kind) == "png",
            )  # fmt: skip


# -- what Pillow writes -----------------------------------------------------------------------


def every_format() -> Iterator[Case]:
    """Every format that Pillow can write, in every mode that it takes."""
    Image.init()
    endings = {format: ending for ending, format in sorted(Image.EXTENSION.items(), reverse=True)}
    for format in sorted(Image.SAVE):
        for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F"):
            try:
                image = in_mode(mode)
                data = saved(image, format)
            except (OSError, ValueError, KeyError, AttributeError, RuntimeError, TypeError):
                continue  # Pillow does not write this one
            truth = None if mode in LOST.get(format, ()) else two_levels() if mode == "1" else glyph()
            yield Case("written by Pillow", f"{format} {mode}", endings.get(format, ".png")[1:], data, truth, 6.0)


def in_mode(mode: str) -> Image.Image:
    if mode == "1":
        return plain().point(lambda level: 255 * (level >= 128), "1")
    if mode in ("LA", "RGBA"):  # ink that lets the paper through
        image = Image.merge("LA", [Image.new("L", (SIDE, SIDE), 0), Image.fromarray(255 - glyph())])
        return image.convert(mode)
    if mode == "I;16":
        return Image.fromarray(glyph().astype(np.uint16) * 257)
    if mode == "LAB":
        lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        made = ImageCms.profileToProfile(plain("RGB"), rgb, lab, outputMode="LAB")
        assert made is not None
        return made
    return plain("RGB").convert(mode) if mode in ("HSV", "YCbCr", "CMYK") else plain(mode)


# -- what is not what it says -----------------------------------------------------------------


def no_images() -> Iterator[Case]:
    page = b"<html><script>alert(1)</script></html>"
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(pwned) = showpage\n%%EOF\n"
    contents = {
        "nothing": b"", "one byte": b"\x89", "noise": random.Random(1).randbytes(4096), "zeros": bytes(4096),
        "text": b"U+4E00 " * 99, "page": page, "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>' + page,
        "postscript": eps, "pdf": b"%PDF-1.7\n%%EOF", "zip": b"PK\x03\x04" + bytes(99), "pickle": b"\x80\x04cos\nsystem\n.",
        "ico": saved(plain("RGBA"), "ICO"), "png head": b"\x89PNG\r\n\x1a\n", "gif head": b"GIF89a", "tif head": b"II*\0",
    }  # fmt: skip
    for name, data in contents.items():
        for ending in ("png", "tif", "eps", "jpg"):
            yield Case("no image", f"{name} as {ending}", ending, data, must="refuse")


def wrong_endings() -> Iterator[Case]:
    """The content counts, not what the name says."""
    for kind, ending in (
        ("png", "jpg"),
        ("jpg", "png"),
        ("gif", "tif"),
        ("tif", "webp"),
        ("bmp", "eps"),
        ("webp", "pdf"),
    ):
        yield Case(
            "wrong ending", f"{kind} as {ending}", ending, WHOLE[kind](), glyph(), tolerance_of(kind), must="read"
        )


def sizes() -> Iterator[Case]:
    """1 pixel, 1 pixel wide, as large as may be, and larger."""
    for name, (width, height) in {"dot": (1, 1), "row": (4096, 1), "column": (1, 4096), "thin": (2, 4000)}.items():
        for level in (0, 255):
            whole = np.full((height, width), level, np.uint8)  # ink or paper all over
            data = saved(Image.new("L", (width, height), level), "PNG")
            yield Case("odd size", f"{name} of {level}", "png", data, whole, must="read")
    for width, height in ((4097, 1), (1, 5000), (1, 65_000), (30_000, 2)):
        data = saved(Image.new("1", (width, height)), "PNG")
        yield Case("odd size", f"{width}x{height}", "png", data, must="refuse")


def bombs(side: int = 30_000) -> Iterator[Case]:
    """Small files of huge images, really packed or only declared."""
    row = bytes(1 + (side + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join([packer.compress(row * 1000) for _ in range(side // 1000)]) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    yield bomb("png", "png", chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND"), b"\x89PNG\r\n\x1a\n")
    small = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)) + chunk(
        b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8))
    )
    pixels = chunk(b"IDAT", zlib.compress(bytes(72))) + chunk(b"IEND")
    yield bomb("png profile", "png", small + pixels, b"\x89PNG\r\n\x1a\n")
    text = b"".join(chunk(b"zTXt", b"a%d\0\0" % n + zlib.compress(bytes(10**6))) for n in range(200))
    yield bomb("png texts", "png", small[:25] + text + pixels, b"\x89PNG\r\n\x1a\n")
    yield bomb("png of more rows", "png", chunk(b"IHDR", head) + pixels, b"\x89PNG\r\n\x1a\n")
    for compression, name in ((1, "raw"), (4, "fax"), (5, "lzw"), (8, "deflate"), (32773, "packbits")):
        yield bomb(f"tif {name}", "tif", tiff_of(side, compression, packed))
    gif = bytearray(WHOLE["gif"]())
    gif[6:10] = struct.pack("<HH", side, side)
    yield bomb("gif screen", "gif", bytes(gif))
    gif = bytearray(WHOLE["gif"]())
    at = gif.index(b",", 13 + 3 * 2 ** ((gif[10] & 7) + 1))
    gif[at + 5 : at + 9] = struct.pack("<HH", side, side)
    yield bomb("gif frame", "gif", bytes(gif))
    vp8x = struct.pack("<I", 0) + (side - 1).to_bytes(3, "little") * 2
    frame = WHOLE["webp-lossless"]()[12:]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + vp8x + frame
    yield bomb("webp canvas", "webp", b"RIFF" + struct.pack("<I", len(body)) + body)
    webp = bytearray(WHOLE["webp-lossless"]())
    at = webp.index(b"VP8L") + 9
    webp[at : at + 4] = struct.pack("<I", 16383 - 1 | (16383 - 1) << 14)
    yield bomb("webp frame", "webp", bytes(webp))
    jpg = bytearray(WHOLE["jpg"]())
    at = jpg.index(b"\xff\xc0") + 5
    jpg[at : at + 4] = struct.pack(">HH", side, side)
    yield bomb("jpg", "jpg", bytes(jpg))
    bmp = bytearray(WHOLE["bmp"]())
    bmp[18:26] = struct.pack("<ii", side, side)
    yield bomb("bmp", "bmp", bytes(bmp))
    rle = bytearray(WHOLE["bmp-rle"]())
    rle[18:26] = struct.pack("<ii", side, side)
    yield bomb("bmp rle", "bmp", bytes(rle))
    yield bomb("pgm", "pgm", b"P5 %d %d 255\n" % (side, side) + bytes(99))
    yield bomb("pgm plain", "pgm", b"P2 %d %d 255\n" % (side, side) + b"0 " * 99)
    yield bomb("pfm", "pfm", b"Pf\n%d %d\n-1.0\n" % (side, side) + bytes(99))
    avif = bytearray(WHOLE["avif"]())
    at = avif.index(b"ispe") + 8
    avif[at : at + 8] = struct.pack(">II", side, side)
    yield bomb("avif", "avif", bytes(avif))


def bomb(name: str, ending: str, content: bytes, magic: bytes = b"") -> Case:
    return Case("bomb", name, ending, magic + content, must="refuse")


def floods(size: int) -> Iterator[Case]:
    """Files of many small parts, each of which costs Pillow far more time and memory than its bytes.

    Args:
        size: bytes of each file, about.
    """
    start, end = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)), chunk(b"IEND")
    pixels = zlib.compress(bytes(72))
    yield Case(
        "flood", "png chunks", "png", start + chunk(b"tEXt", b"a\0") * (size // 14) + chunk(b"IDAT", pixels) + end
    )
    yield Case(
        "flood", "png of empty data", "png", start + chunk(b"IDAT") * (size // 12) + chunk(b"IDAT", pixels) + end
    )
    jpg = WHOLE["jpg"]()
    yield Case("flood", "jpg segments", "jpg", jpg[:2] + b"\xff\xe5\0\2" * (size // 4) + jpg[2:], glyph(), 4.0)
    yield Case("flood", "jpg comments", "jpg", jpg[:2] + b"\xff\xfe\0\3a" * (size // 5) + jpg[2:], glyph(), 4.0)
    gif = WHOLE["gif"]()
    at = 13 + 3 * 2 ** ((gif[10] & 7) + 1)
    yield Case("flood", "gif comments", "gif", gif[:at] + b"!\xfe\1a\0" * (size // 5) + gif[at:], glyph(), 1.0)
    yield Case(
        "flood", "gif blocks", "gif", gif[:at] + b"!\xfe" + b"\1a" * (size // 2) + b"\0" + gif[at:], glyph(), 1.0
    )
    yield Case(
        "flood", "gif frames", "gif", gif[:-1] + (b",\0\0\0\0\1\0\1\0\0\2\2L\1\0") * (size // 15) + b";", must="refuse"
    )
    yield Case("flood", "tif tiles", "tif", tiff_of(4096, 1, bytes(size), tile=16, tiles=size, kind=1), must="refuse")
    yield Case("flood", "tif strips", "tif", tiff_of(4096, 1, bytes(size), tiles=size // 4, kind=4))
    yield Case("flood", "tif pages", "tif", tiff_chain(size // 18), must="refuse")
    side = min(4096, int(size**0.5))
    yield Case("flood", "ppm of odd depth", "ppm", b"P5 %d %d 254\n" % (side, side) + bytes(side * side))
    yield Case("flood", "ppm as text", "ppm", b"P2 %d %d 255\n" % (side, side // 2) + b"0 " * (side * (side // 2)))
    rle = bytearray(rle_bmp(np.zeros((8, 8), np.uint8)))
    rle[18:26] = struct.pack("<ii", 4096, 4096)
    at = struct.unpack_from("<I", rle, 10)[0]
    yield Case("flood", "bmp runs", "bmp", bytes(rle[:at]) + b"\1\1" * (size // 2) + b"\0\1")


# -- several images ---------------------------------------------------------------------------


def several() -> Iterator[Case]:
    other = Image.fromarray(255 - glyph()).convert("RGB")
    for format, ending in (("GIF", "gif"), ("PNG", "png"), ("WEBP", "webp"), ("AVIF", "avif"), ("TIFF", "tif")):
        data = saved(plain("RGB"), format, save_all=True, append_images=[other])
        yield Case("several images", format, ending, data, must="refuse")
    data = saved(plain("RGB"), "PNG", save_all=True, append_images=[other], default_image=True)
    yield Case("several images", "PNG with a default", "png", data, must="refuse")
    data = saved(plain("RGB"), "MPO", save_all=True, append_images=[other], quality=95)
    yield Case("several images", "MPO", "jpg", data, glyph(), 4.0, must="read")  # a camera's: the first is the picture


# -- depths, colours, transparency ------------------------------------------------------------


def depths() -> Iterator[Case]:
    deep = glyph().astype(np.uint32)

    def case(name: str, ending: str, data: bytes, must: str = "read", truth: np.ndarray | None = None) -> Case:
        shown = None if must == "refuse" else glyph() if truth is None else truth
        return Case("depth", name, ending, data, shown, 1.0, must=must)

    for bits in (10, 12, 14, 16):
        levels = np.rint(deep * ((2**bits - 1) / 255)).astype(np.uint16)
        yield case(f"{bits} bits in 16 png", "png", saved(Image.fromarray(levels), "PNG"))
        yield case(f"{bits} bits in 16 tif", "tif", saved(Image.fromarray(levels), "TIFF"))
    sixteen = (deep * 257).astype(">u2")
    yield case("16-bit pgm", "pgm", b"P5 %d %d 65535\n" % (SIDE, SIDE) + sixteen.tobytes())
    yield case("16-bit rgb png", "png", raw_png(np.repeat(sixteen[..., None], 3, -1), 2, 16))
    yield case("16-bit grey and alpha png", "png", raw_png(np.stack([sixteen * 0, 65535 - sixteen], -1), 4, 16))
    yield case("16-bit rgba png", "png", raw_png(np.stack([sixteen * 0] * 3 + [65535 - sixteen], -1), 6, 16))
    clear = np.where(deep < 128, 0, 65535).astype(">u2")
    data = raw_png(clear[..., None], 0, 16, (b"tRNS", b"\xff\xff"))
    yield case("16-bit, its paper transparent", "png", data, truth=two_levels())
    for name, scale in {"1": 1 / 255, "255": 1.0, "65535": 257.0}.items():
        yield case(f"floats to {name}", "tif", saved(Image.fromarray((deep * scale).astype(np.float32)), "TIFF"))
    yield case("floats pfm", "pfm", saved(Image.fromarray((deep / 255).astype(np.float32)), "PPM"))
    for name, value in {"nan": np.nan, "inf": np.inf, "minus": -5.0, "1e30": 1e30}.items():
        levels = (deep / 255).astype(np.float32)
        levels[3, 4] = value
        yield case(f"floats with {name}", "tif", saved(Image.fromarray(levels), "TIFF"), "refuse")
    whole = Image.fromarray((deep * 257 * 30_000).astype(np.int32))
    yield case("32-bit", "tif", saved(whole, "TIFF"), "refuse")


def colours() -> Iterator[Case]:
    def case(
        name: str, ending: str, image: Image.Image, format: str, tolerance: float = 1.0, **options: object
    ) -> Case:
        return Case("colour", name, ending, saved(image, format, **options), glyph(), tolerance, must="read")

    yield case("cmyk jpg", "jpg", plain("CMYK"), "JPEG", 4.0, quality=95)
    yield case("cmyk tif", "tif", plain("CMYK"), "TIFF")
    yield case("ycbcr tif", "tif", plain("YCbCr"), "TIFF", 2.0)
    yield case("palette gif", "gif", plain("P"), "GIF")
    for level, name in ((0, "dark"), (255, "light")):
        for mode, format, ending in (
            ("LA", "PNG", "png"),
            ("RGBA", "PNG", "png"),
            ("RGBA", "WEBP", "webp"),
            ("RGBA", "TIFF", "tif"),
        ):
            ink = Image.merge("LA", [Image.new("L", (SIDE, SIDE), level), Image.fromarray(255 - glyph())]).convert(mode)
            options = {"lossless": True, "exact": True} if format == "WEBP" else {}
            yield case(f"{name} ink, {mode} {ending}", ending, ink, format, **options)
    inked = Image.fromarray((glyph() < 128).astype(np.uint8), "P")
    for name, ink, transparent in (("one", 0, 0), ("several", 0, bytes([0, 255, 0])), ("light ink", 255, 0)):
        inked.putpalette([255, 0, 255, ink, ink, ink])
        for format in ("PNG", "GIF"):
            clear = 0 if format == "GIF" else transparent
            data = saved(inked, format, transparency=clear)
            yield Case(
                "colour", f"palette, {name} transparent {format}", format.lower(), data, two_levels(), 1.0, must="read"
            )
    empty = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    yield Case(
        "colour", "all transparent", "png", saved(empty, "PNG"), np.full((SIDE, SIDE), 255, np.uint8), must="read"
    )


def profiles() -> Iterator[Case]:
    true = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = random.Random(2).randbytes(5000)
    for format, ending in (("PNG", "png"), ("JPEG", "jpg"), ("TIFF", "tif"), ("WEBP", "webp"), ("AVIF", "avif")):
        for name, profile in {"true": true, "cut": true[:50], "noise": noise, "zeros": bytes(200)}.items():
            try:
                data = saved(plain("RGB"), format, icc_profile=profile, quality=95)
            except (OSError, ValueError):
                continue  # Pillow does not write this one
            yield Case("colour profile", f"{format} {name}", ending, data, glyph(), 4.0, must="read")
    whole = WHOLE["png"]()
    broken = whole[:33] + chunk(b"iCCP", b"a\0\0" + noise) + whole[33:]
    yield Case("colour profile", "PNG of no zlib", "png", broken, glyph(), 1.0)


def orientations() -> Iterator[Case]:
    stored = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose,
        6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a, 2).T, 8: lambda a: np.rot90(a, 3),
    }  # fmt: skip
    for format, ending in (("PNG", "png"), ("JPEG", "jpg"), ("TIFF", "tif"), ("WEBP", "webp"), ("AVIF", "avif")):
        for orientation in (*stored, 0, 9, 65535):
            exif = Image.Exif()
            exif[0x0112] = orientation
            pixels = np.ascontiguousarray(stored.get(orientation, stored[1])(glyph()))
            data = saved(Image.fromarray(pixels).convert("RGB"), format, exif=exif, quality=95)
            yield Case("orientation", f"{format} {orientation}", ending, data, glyph(), 4.0, must="read")
        for name, broken in {
            "noise": b"Exif\0\0" + random.Random(3).randbytes(90),
            "cut": b"Exif\0\0II*\0\x08\0",
        }.items():
            try:
                data = saved(plain("RGB"), format, exif=broken, quality=95)
            except (OSError, ValueError, SyntaxError, struct.error):
                continue  # Pillow does not write this one
            yield Case("orientation", f"{format} {name}", ending, data, glyph(), 4.0)


GROUPS: dict[str, Callable[[], Iterator[Case]]] = {
    name: make
    for name, make in globals().items()
    if name in (
        "whole", "truncated", "flipped", "overwritten", "every_format", "no_images", "wrong_endings", "sizes", "bombs",
        "several", "depths", "colours", "profiles", "orientations",
    )
}  # fmt: skip


# -- parts of files ---------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(pixels: np.ndarray, colour: int, bits: int, *more: tuple[bytes, bytes]) -> bytes:
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunk(*m) for m in more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")  # fmt: skip


def interlaced_png() -> bytes:
    """The seven passes of Adam7, which Pillow reads but does not write."""
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = b"".join(b"\0" + row.tobytes() for y, x, dy, dx in passes for row in glyph()[y::dy, x::dx])
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND")


def rle_bmp(grey: np.ndarray) -> bytes:
    """Run lengths, which Pillow reads but does not write."""
    runs = bytearray()
    for row in grey[::-1]:
        starts = np.flatnonzero(np.diff(row.astype(int), prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(row)], strict=True):
            runs += bytes([stop - start, row[start]])
        runs += b"\0\0"
    runs += b"\0\1"
    palette = b"".join(bytes([v, v, v, 0]) for v in range(256))
    height, width = grey.shape
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    offset = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(runs), 0, 0, offset) + info + palette + bytes(runs)


def tiff_of(side: int, compression: int, data: bytes, *, tile: int = 0, tiles: int = 1, kind: int = 4) -> bytes:
    """One page of bits, whose strips or tiles say to be so many; all the data follow the description."""
    entries = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 1), (259, 3, 1, compression), (262, 3, 1, 1)]
    place = 8 + 2 + 12 * (len(entries) + (4 if tile else 3)) + 4
    if tile:
        entries += [(322, 4, 1, tile), (323, 4, 1, tile), (324, kind, tiles, place), (325, 4, 1, len(data))]
    else:
        entries += [(273, kind, tiles, place), (278, 4, 1, side if tiles == 1 else 1), (279, 4, 1, len(data))]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", 0) + data


def tiff_chain(pages: int) -> bytes:
    """Many pages without anything on them."""
    out = bytearray(b"II*\0" + struct.pack("<I", 8))
    for number in range(pages):
        out += struct.pack("<HHHII", 1, 256, 4, 1, 8)
        out += struct.pack("<I", 0 if number == pages - 1 else len(out) + 4)
    return bytes(out)
