"""Template pages -> PDF, all of it vectors: any printer's resolution is enough, and no image of a font is shipped."""

import math
import unicodedata
from typing import Any

import numpy as np
from fontTools.pens.basePen import BasePen
from fontTools.ttLib import TTFont

from fontgan.data.character_map import character_map
from fontgan.data.font_source import FontGlyphs
from fontgan.data.frame import BASELINE, Box, Frame
from fontgan.data.sources import asset
from fontgan.errors import ConfigError
from fontgan.extras import how_to_install
from fontgan.fontfile import marks
from fontgan.fontfile.widths import is_full_width, is_mark
from fontgan.handwriting import sheet
from fontgan.runtime.progress import Bar

# Cyan takes red light away and leaves green and blue, which the scan looks at: to it the guides are paler than to us.
GUIDE = (178, 226, 238)
GHOST = (212, 236, 244)
LABEL = (95, 95, 95)
_POINT_MM = 25.4 / 72
OVER = 0.08  # of the em, by which ink may reach over its square without being taken for another cell's
LETTER = Box(0.25, BASELINE - 0.5, 0.75, BASELINE)  # of the em: the letter that marks stand on
DOTS, DOT = 12, 0.045  # of the circle that stands for it, and the side of one as a share of the em


class LabelFont:
    """Outlines of a font's characters."""

    def __init__(self, glyphs: FontGlyphs):
        self.glyphs = glyphs
        tables = TTFont(glyphs.path, fontNumber=glyphs.index or 0, lazy=True)
        self._cmap = character_map(tables).glyphs
        self._drawable = tables.getGlyphSet(location=glyphs.location or None)

    def draw(self, path: Any, char: str, em: Box) -> None:
        """Adds a character to a path of the PDF so that its em square fills ``em``, or its ink if it lies outside."""
        facts, em = self.glyphs.to_cell(), self._moved(char, em)
        scale = em.width / facts["units_per_em"]
        pen = _PathPen(self._drawable, path, Frame(scale, em.x0, em.y0 + scale * facts["baseline"]))
        self._drawable[self._cmap[ord(char)]].draw(pen)

    def _moved(self, char: str, em: Box) -> Box:
        """Where the em square has to be: a mark goes over ``letter_box``, and ink wider than the em is made smaller."""
        ink = self.glyphs.ink_box(char)
        middle, scale = 0.5, min(1.0, (1 + 2 * OVER) / max(ink.width, 1e-9))
        if is_mark(char) and is_full_width(char):
            middle = ink.centre[0] % 1  # drawn in the cell of the kana that it stands on, or in the one before
        elif is_mark(char):
            middle = LETTER.x0 + marks.middle(char, LETTER.width, OVER)
        elif ink.x0 >= -OVER and ink.x1 <= 1 + OVER:
            return em
        side = scale * em.width
        half = scale * ink.width / 2
        middle = min(max(middle, half - OVER), 1 + OVER - half)
        left = em.x0 + middle * em.width - ink.centre[0] * side
        top = em.y0 + (1 - scale) * BASELINE * em.height  # the baseline stays
        return Box(left, top, left + side, top + side)


def add_dotted_circle(path: Any, em: Box) -> None:
    """Stands for the letter that a mark belongs to, in an em square: few fonts have the character for it (U+25CC)."""
    (x, y), radius = LETTER.centre, LETTER.width / 2 - DOT
    for turn in range(DOTS):
        angle = 2 * math.pi * turn / DOTS
        left, top = x + radius * math.cos(angle) - DOT / 2, y + radius * math.sin(angle) - DOT / 2
        path.rectangle(em.x0 + left * em.width, em.y0 + top * em.height, DOT * em.width, DOT * em.height)


class _PathPen(BasePen):  # type: ignore[misc]
    """Font units (y up) -> a path of the PDF in millimetres, y down."""

    def __init__(self, glyph_set: Any, path: Any, frame: Frame):
        super().__init__(glyph_set)
        self._path, self._frame = path, frame

    def _at(self, point: tuple[float, float]) -> tuple[float, float]:
        return self._frame.dx + self._frame.scale * point[0], self._frame.dy - self._frame.scale * point[1]

    def _moveTo(self, pt: Any) -> None:
        self._path.move_to(*self._at(pt))

    def _lineTo(self, pt: Any) -> None:
        self._path.line_to(*self._at(pt))

    def _curveToOne(self, pt1: Any, pt2: Any, pt3: Any) -> None:
        self._path.curve_to(*self._at(pt1), *self._at(pt2), *self._at(pt3))

    def _closePath(self) -> None:
        self._path.close()


def make_pdf(pages: list[sheet.Page], font: LabelFont, drawn: set[str], *, ghost: bool) -> bytes:
    """Draws the pages; characters that are not ``drawn`` by the font are labelled by their code point.

    With ``ghost`` each of the others also stands pale in its cell.
    Raises: ConfigError if fpdf2 is not there.
    """
    try:
        from fpdf import FPDF
    except ImportError as error:
        raise ConfigError(f"PDF pages need fpdf2. Run {how_to_install('handwriting')}.") from error
    pdf = FPDF(unit="mm", format=sheet.PAPERS[pages[0].paper])
    pdf.set_title(f"fontgan template, {sum(len(page.chars) for page in pages)} characters")
    pdf.set_creator("fontgan template")
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    pdf.add_font("text", fname=str(asset("NotoSansSC-Regular.ttf")))
    for page in Bar(pages, unit="page", desc="drawing", disable=len(pages) < 5):
        pdf.add_page()
        _draw_head(pdf, page)
        _draw_guides(pdf, page)
        _draw_labels(pdf, page, font, drawn)
        if ghost:
            _fill(pdf, GHOST, font, [(char, em) for char, em in page.em_boxes() if char in drawn])
        else:
            _fill(pdf, GHOST, font, [], circles=[em for char, em in page.em_boxes() if stands_on_a_letter(char)])
    return bytes(pdf.output())


def _draw_head(pdf: Any, page: sheet.Page) -> None:
    pdf.set_fill_color(0)
    for number, box in sheet.marker_boxes(page.paper).items():
        _squares(pdf, sheet.marker_modules(number), box)
    _squares(pdf, sheet.code_modules(page.to_text()), sheet.code_box(page.paper))
    pdf.set_text_color(0)
    x = sheet.EDGE_MM + sheet.MARKER_MM + 5
    for y, points, text in (
        (14, 13, f"Page {page.number} of {page.pages}"),
        (21, 9, "Write each character inside its frame,"),
        (26, 9, "with a dark pen. The small mark above a"),
        (31, 9, "frame says which; leave out what you like."),
        (38, 7.5, "Keep the four black squares and the code clean and in the"),
        (42, 7.5, "picture. Scan, or photograph from above in even light."),
    ):
        pdf.set_font("text", size=points)
        pdf.text(x, y, text)


def _squares(pdf: Any, modules: np.ndarray, box: Box) -> None:
    """Fills the True squares, run by run; runs overlap those below by a hair, or viewers draw white seams."""
    side = box.width / len(modules)
    padded = np.pad(modules, ((0, 1), (1, 1))).astype(np.int8)
    for row, line in enumerate(padded[:-1]):
        starts, ends = (np.flatnonzero(np.diff(line) == step).tolist() for step in (1, -1))
        for start, end in zip(starts, ends, strict=True):
            overlap = 0.02 * padded[row + 1, start + 1 : end + 1].all()
            pdf.rect(box.x0 + start * side, box.y0 + row * side, (end - start) * side, side + overlap, "F")


def _draw_guides(pdf: Any, page: sheet.Page) -> None:
    """Em boxes, centre crosses, and the baseline where letters stand on one."""
    pdf.set_draw_color(*GUIDE)
    for char, em in page.em_boxes():
        pdf.set_line_width(0.25)
        pdf.rect(*em[:2], em.width, em.height)
        pdf.set_line_width(0.18)
        # Letters, digits and signs that are narrower than an em; Han, kana and Hangul fill their square.
        if unicodedata.east_asian_width(char) not in ("W", "F"):
            baseline = em.y0 + BASELINE * em.height
            pdf.line(em.x0, baseline, em.x1, baseline)
        pdf.set_dash_pattern(dash=1, gap=1)
        x, y = em.centre
        pdf.line(x, em.y0, x, em.y1)
        pdf.line(em.x0, y, em.x1, y)
        pdf.set_dash_pattern()


def _draw_labels(pdf: Any, page: sheet.Page, font: LabelFont, drawn: set[str]) -> None:
    height = sheet.label_mm(page.cell)
    boxes = []
    pdf.set_text_color(*LABEL)
    for char, em in page.em_boxes():
        box = sheet.label_box(em, page.cell)
        if char in drawn:
            boxes.append((char, box))
        else:
            text = f"U+{ord(char):04X}"
            pdf.set_font("text", size=min(0.6 * height, 2.8) / _POINT_MM)
            pdf.text(em.centre[0] - pdf.get_string_width(text) / 2, box.y1 - 0.15 * height, text)
    _fill(pdf, LABEL, font, boxes)


def stands_on_a_letter(char: str) -> bool:
    """Whether a dotted circle is drawn with it; a kana's voicing has the whole cell for the kana."""
    return is_mark(char) and not is_full_width(char)


def _fill(
    pdf: Any,
    colour: tuple[int, int, int],
    font: LabelFont,
    glyphs: list[tuple[str, Box]],
    circles: list[Box] | None = None,
) -> None:
    """Fills glyphs with one colour, as one path, marks with the circle under them; and more such circles."""
    from fpdf.drawing import PaintedPath
    from fpdf.enums import IntersectionRule, PathPaintRule

    path = PaintedPath()
    path.style.fill_color = "#{:02x}{:02x}{:02x}".format(*colour)
    path.style.stroke_color = None
    path.style.paint_rule = PathPaintRule.FILL_NONZERO
    path.style.intersection_rule = IntersectionRule.NONZERO
    for char, em in glyphs:
        font.draw(path, char, em)
    circles = [em for char, em in glyphs if stands_on_a_letter(char)] + (circles or [])
    for em in circles:
        add_dotted_circle(path, em)
    if glyphs or circles:
        with pdf.drawing_context() as context:
            context.add_item(path)
