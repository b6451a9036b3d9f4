"""Makes the fonts of fontgan/assets/shelf out of the files that they come from; README.md there says which these are.

    python scripts/make_shelf.py sans=NotoSansCJK-Regular.ttc#2 song=NotoSerifCJK-Regular.ttc#2 kai=LXGWWenKai.woff2 \
        round=NotoSansCJK-Regular.ttc#2
    python scripts/make_shelf.py picture=docs/images/shelf.png

Each is cut to the characters below, without hints and layout features. ``round`` has the corners of its strokes rounded.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import atan2, hypot, tan
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fontgan.cli import not_installed  # noqa: E402

try:
    import numpy as np
    from fontTools.misc.bezierTools import calcCubicArcLength, splitCubicAtT
    from fontTools.pens.recordingPen import DecomposingRecordingPen
    from fontTools.pens.t2CharStringPen import T2CharStringPen
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont
    from fontTools.ttLib.woff2 import WOFF2FlavorData

    from fontgan.data.charset import resolve
    from fontgan.data.frame import Frame
    from fontgan.data.sources import open_glyphs
    from fontgan.pictures.contact_sheet import save_png
except ModuleNotFoundError as error:
    sys.exit(f"scripts/make_shelf.py: {not_installed(error)}")

CHARS = "latin1+gb2312-symbols+kana+cjk-punctuation+gb2312"
PICTURE, PICTURE_PX = "永国骨遍缓繁警鹰", 104
# Radii of rounded corners, thousandths of the em: strokes are up to 90 wide, so their ends become half circles.
OUTER, INNER = 46.0, 12.0
# Radians of turn: what is less is no corner; ink that turns by more is a spike, and paper a notch that must stay open.
SLIGHTEST, SPIKE, NOTCH = 0.35, 2.9, 1.9

Point = tuple[float, float]
Curve = tuple[Point, Point, Point, Point]


def cut(file: str, index: int) -> TTFont:
    """The font with the characters of the shelf alone."""
    font = TTFont(file, fontNumber=index, recalcTimestamp=False)
    options = Options(
        hinting=False, layout_features=[], glyph_names=False, notdef_outline=True, desubroutinize=True,
        name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14], name_languages=[0x409], name_legacy=False, recalc_timestamp=False,
    )  # fmt: skip
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx", "gasp", "meta", "STAT", "FFTM"]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=[ord(char) for char in [" ", *(resolve(CHARS) or [])]])
    subsetter.subset(font)
    return font


def round_strokes(font: TTFont) -> None:
    """Rounds the corners of a font with CFF outlines and names it anew."""
    glyphs, top = font.getGlyphSet(), font["CFF "].cff.topDictIndex[0]
    for name in font.getGlyphOrder()[1:]:
        recorded = DecomposingRecordingPen(glyphs)
        glyphs[name].draw(recorded)
        old = top.CharStrings[name]
        width = glyphs[name].width - old.private.nominalWidthX
        pen = T2CharStringPen(None if glyphs[name].width == old.private.defaultWidthX else width, glyphs)
        for contour in contours(recorded.value):
            draw(round_corners(contour), pen)
        new = pen.getCharString(old.private, old.globalSubrs)
        new.fdSelectIndex = getattr(old, "fdSelectIndex", None)
        top.CharStrings[name] = new
    for record in font["name"].names:
        record.string = str(record).replace("Noto Sans CJK SC", "Fontgan Round SC").replace("NotoSansCJKsc", "FontganRoundSC")  # fmt: skip
    top.rawDict.pop("FamilyName", None), top.rawDict.pop("FullName", None)
    font["CFF "].cff.fontNames[0] = "FontganRoundSC-Regular"


def contours(recorded: list[tuple[str, tuple[Point, ...]]]) -> list[list[Curve]]:
    """What a pen recorded as closed contours of cubic curves, lines among them."""
    found: list[list[Curve]] = []
    for operator, points in recorded:
        if operator == "moveTo":
            found.append([])
            at = start = points[0]
        elif operator == "curveTo":
            found[-1].append((at, points[0], points[1], points[2]))
            at = points[-1]
        elif (to := points[0] if operator == "lineTo" else start) != at:  # lineTo, or closePath, which leads back
            found[-1].append(line(at, to))
            at = to
    return found


def line(start: Point, end: Point) -> Curve:
    third = ((end[0] - start[0]) / 3, (end[1] - start[1]) / 3)
    return start, (start[0] + third[0], start[1] + third[1]), (end[0] - third[0], end[1] - third[1]), end


def round_corners(contour: list[Curve]) -> list[Curve]:
    """Lays an arc at every corner: a large one where ink is inside, a small one where paper is."""
    turns = [turn(contour[i - 1], curve) for i, curve in enumerate(contour)]  # at the start of each curve
    starts = [i for i, angle in enumerate(turns) if SLIGHTEST < angle < SPIKE or -NOTCH < angle < -SLIGHTEST]
    if not starts:
        return contour
    ends = [*starts[1:], starts[0] + len(contour)]
    sides = [[contour[i % len(contour)] for i in range(*ends)] for ends in zip(starts, ends, strict=True)]
    halves = [sum(calcCubicArcLength(*curve) for curve in side) / 2 for side in sides]
    reach = []
    for i, start in enumerate(starts):
        radius = OUTER if turns[start] > 0 else INNER
        reach.append(min(radius * tan(abs(turns[start]) / 2), halves[i - 1], halves[i]))
    cut = [
        backwards(trim(backwards(trim(side, reach[i])), reach[(i + 1) % len(sides)])) for i, side in enumerate(sides)
    ]
    rounded: list[Curve] = []
    for i, side in enumerate(cut):
        rounded += [arc(cut[i - 1][-1][3], sides[i][0][0], side[0][0], abs(turns[starts[i]])), *side]
    seen = [curve for curve in rounded if hypot(curve[3][0] - curve[0][0], curve[3][1] - curve[0][1]) > 0.5]
    return seen or contour  # a speck of the original


def turn(before: Curve, after: Curve) -> float:
    """By how much the outline turns from one curve to the next, radians; above 0 where ink is inside the corner."""
    u, v = direction(*reversed(before)), direction(*after)
    u = (-u[0], -u[1])
    cross, dot = u[0] * v[1] - u[1] * v[0], u[0] * v[0] + u[1] * v[1]
    return atan2(cross, dot)


def direction(start: Point, *others: Point) -> Point:
    """The unit vector in which a curve leaves its start."""
    for x, y in others:
        if (far := hypot(x - start[0], y - start[1])) > 1e-6:
            return (x - start[0]) / far, (y - start[1]) / far
    return 1.0, 0.0


def trim(side: list[Curve], length: float) -> list[Curve]:
    """Curves that follow each other without so much of their length at the start."""
    for i, curve in enumerate(side):
        own = calcCubicArcLength(*curve)
        if length < own or i == len(side) - 1:
            low, high = 0.0, 1.0  # halved until the first part is as long as it should be
            for _ in range(14):
                middle = (low + high) / 2
                if calcCubicArcLength(*splitCubicAtT(*curve, middle)[0]) < length:
                    low = middle
                else:
                    high = middle
            return [splitCubicAtT(*curve, middle)[1], *side[i + 1 :]]
        length -= own
    return side


def backwards(side: list[Curve]) -> list[Curve]:
    return [(end, other, one, start) for start, one, other, end in reversed(side)]


def arc(start: Point, corner: Point, end: Point, angle: float) -> Curve:
    """From start to end, both as far from the corner, where the outline turns by an angle."""
    handle = 4 / 3 * tan(angle / 4) / tan(angle / 2)
    one = (start[0] + handle * (corner[0] - start[0]), start[1] + handle * (corner[1] - start[1]))
    other = (end[0] + handle * (corner[0] - end[0]), end[1] + handle * (corner[1] - end[1]))
    return start, one, other, end


def draw(curves: list[Curve], pen: T2CharStringPen) -> None:
    pen.moveTo(curves[0][0])
    for start, one, other, end in curves:
        straight = line(start, end)
        if hypot(one[0] - straight[1][0], one[1] - straight[1][1]) + hypot(other[0] - straight[2][0], other[1] - straight[2][1]) < 0.6:  # fmt: skip
            pen.lineTo(end)
        else:
            pen.curveTo(one, other, end)
    pen.closePath()


def picture(out: Path) -> None:
    """Eight characters of each font, a row a font."""
    frame = Frame(PICTURE_PX * 0.88, PICTURE_PX * 0.06, PICTURE_PX * 0.06)
    fonts = [open_glyphs(f"shelf:{name}") for name in ("sans", "song", "kai", "round")]
    rows = [np.hstack([font.rasterize(char, frame, PICTURE_PX) for char in PICTURE]) for font in fonts]
    save_png(np.vstack(rows), out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the fonts that are named, each as ``NAME=FILE`` or ``NAME=FILE#FACE``."""
    for argument in arguments or sys.argv[1:]:
        name, _, spec = argument.partition("=")
        if name == "picture":
            picture(Path(spec))
            continue
        file, _, index = spec.partition("#")
        font = cut(file, int(index or 0))
        if name == "round":
            round_strokes(font)
        font.flavor, font.flavorData = "woff2", WOFF2FlavorData(transformedTables=set())
        out = ROOT / "fontgan" / "assets" / "shelf" / f"{name}.woff2"
        out.parent.mkdir(exist_ok=True)
        font.save(out, reorderTables=False)
        print(f"{out.name}: {len(font.getBestCmap())} characters, {out.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
