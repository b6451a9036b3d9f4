"""A picture -> the pages that lie in it, and what their codes say.

Pictures: (H, W) uint8 grey.  Their pixel centres are whole numbers, as OpenCV counts.
"""

from itertools import product
from typing import NamedTuple

import cv2
import numpy as np

from fontgan.handwriting.code import read_code
from fontgan.handwriting.sheet import PAPERS, NotAPage, Page, code_box, marker_boxes
from fontgan.handwriting.surface import Surface, lay, projected

_LOOK_PX = (1600, 2600, 1000)  # long sides at which markers are looked for: quick first, then small, then noisy ones
# How far the markers of a sheet may be off (root mean square): a flat one's, and one's that a lens alone bends.
_FLAT_MM, _BENT_MM = 0.07, 0.1
_LENSES = np.linspace(-0.03, 0.03, 121)
_LENS_GAIN = 0.6  # a lens that leaves more than this of what the markers are off explains nothing
_MARKER_OFF_MM = 0.05  # how exactly a single corner of a marker is known
_FAR_BENT_MM = 0.4  # markers farther off tell why the code is not read
_FOREIGN_MM = 3.0  # markers farther off are of different sheets
_FOURTH_MM = 0.5  # a fourth marker that makes the others fit worse than this is of another sheet
_CODE_PX_PER_MM = 4.0  # two pixels for the smallest module; codes were read with fewer
_CORNERS = ("top left", "top right", "bottom right", "bottom left")
_TURNS = [[0, 1], [2, 1], [2, 3], [0, 3]]  # of left, top, right, bottom: the corners' x and y


class Markers(NamedTuple):
    """The markers of one sheet."""

    paper: str
    corners: dict[int, np.ndarray]  # by corner (0 to 3, clockwise from the top left) a marker's own, (4, 2) float32

    def on_page(self) -> np.ndarray:
        """Where the corners are printed, in their order: (n, 2) float64, millimetres."""
        boxes = np.array(list(marker_boxes(self.paper).values()))
        return np.concatenate([boxes[corner, _TURNS] for corner in self.corners])

    def in_picture(self) -> np.ndarray:
        """Where they are seen: (n, 2) float64, pixels."""
        return np.concatenate(list(self.corners.values())).astype(np.float64)


class Located(NamedTuple):
    page: Page
    surface: Surface
    fixed: np.ndarray  # (n, 4), millimetres: points whose place is known, and how far they seem moved on the plane
    off_mm: float  # how far its markers are off a flat sheet's, root mean square
    findings: list[str]  # what may harm the result


def find_pages(grey: np.ndarray) -> tuple[list[Located], list[str]]:
    """Finds the pages of a picture, the largest first, however they are turned.

    Returns: those that are read, and of what else is there, what is the matter.
    Raises: NotAPage if none is read.
    """
    sheets, left_over = find_markers(grey)
    located, lost = [], []
    for sheet in sheets:
        try:
            located.append(locate(grey, sheet))
        except NotAPage as error:
            lost.append(f"{error}")
    if not located:
        raise NotAPage(lost[0] if len(lost) == 1 else f"{len(lost)} pages are in it, and none is read; {lost[0]}")
    lost = [f"another page is in it, and {why}" for why in lost]
    if left_over:
        markers = f"{left_over} marker{'s' * (left_over > 1)}"
        lost.append(f"another page is partly in it, with {markers}; take a picture of its own if it is wanted")
    return located, lost


def locate(grey: np.ndarray, sheet: Markers) -> Located:
    """Where a sheet lies, and what its code says. Raises: NotAPage if the code is not read, or of another paper."""
    findings = []
    if len(sheet.corners) == 3:
        lost = next(corner for corner in range(4) if corner not in sheet.corners)
        findings.append(f"the marker {_CORNERS[lost]} is not seen; the cells near it may be off")
    try:
        surface, off_mm = likely_surface(sheet)
    except ValueError as error:
        raise NotAPage("its markers lie in no plane") from error
    moved = projected(sheet.in_picture(), np.linalg.inv(surface.plane)) - sheet.on_page()
    fixed = np.concatenate([sheet.on_page(), moved], axis=1)
    box = code_box(sheet.paper)
    code = read_code(grey, surface.around(box), sheet.paper)
    if code is None:
        pixels = surface.pixels_per_mm(*box.centre)
        if pixels < _CODE_PX_PER_MM:
            few = f"its code cannot be read: the picture has {pixels:.1f} pixels a millimetre there"
            raise NotAPage(f"{few}; scan at 150 dpi or more, or go closer")
        if off_mm > _FAR_BENT_MM:
            bent = f"its code cannot be read: the sheet is bent, or the lens bends it (markers are {off_mm:.1f} mm off)"
            raise NotAPage(f"{bent}; lay it flat, and photograph from farther away")
        raise NotAPage("its code cannot be read; take a sharper or closer picture, with the code clean")
    if code.page.paper != sheet.paper:
        raise NotAPage(f"its code is of a page of paper {code.page.paper}, its markers of {sheet.paper}")
    seen = np.concatenate([code.points, surface.moved(code.points + code.moved) + code.moved], axis=1)
    return Located(code.page, surface, np.concatenate([fixed, seen]), off_mm, findings)


def likely_surface(sheet: Markers) -> tuple[Surface, float]:
    """The plainest surface on which a sheet's markers lie: flat, flat seen through a lens that bends, or bent.

    Squares that are seen as no squares tell how the sheet bends between them.
    Returns: also how far the markers are off a flat one (root mean square, mm). Raises: ValueError: in no plane.
    """
    points = sheet.on_page(), sheet.in_picture()
    sides = PAPERS[sheet.paper]
    surface, off_mm = flat, flat_mm = lay(*points, sides)
    if flat_mm > _FLAT_MM:
        surface, off_mm = min((lay(*points, sides, lens) for lens in _LENSES), key=lambda found: found[1])
        if off_mm > _LENS_GAIN * flat_mm:
            surface, off_mm = flat, flat_mm
    if off_mm > _BENT_MM:
        moved = projected(points[1], np.linalg.inv(surface.plane)) - points[0]
        surface = surface.bent_to(points[0], moved, _MARKER_OFF_MM)
    return surface, flat_mm


def find_markers(grey: np.ndarray) -> tuple[list[Markers], int]:
    """Looks for corner markers at several sizes.

    Returns: three or four of each sheet, the largest first; and how many others are seen.
    Raises: NotAPage if there are not three of one sheet.
    """
    settings = cv2.aruco.DetectorParameters()
    settings.adaptiveThreshWinSizeMax = 53  # wide enough for a marker's black ring in a 600 dpi scan scaled down
    settings.adaptiveThreshWinSizeStep = 10
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50), settings)
    seen: list[tuple[int, np.ndarray]] = []
    sheets: list[Markers] = []
    for long_side in _LOOK_PX:
        scale = min(1.0, long_side / max(grey.shape))
        small = grey if scale == 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found, ids, _ = detector.detectMarkers(small)
        for corners, number in zip(found, [] if ids is None else np.ravel(ids), strict=True):
            whole = (corners.reshape(4, 2) + 0.5) / scale - 0.5
            side = np.linalg.norm(whole[0] - whole[1])
            new = all(np.linalg.norm(whole.mean(axis=0) - other.mean(axis=0)) > side / 2 for _, other in seen)
            if new and number < 4 * len(PAPERS):
                seen.append((int(number), whole))
        sheets = group_markers(seen)
        if sheets and sum(len(sheet.corners) for sheet in sheets) == 4 * len(sheets) == len(seen):
            break
    if not seen:
        raise NotAPage("no page of fontgan template is seen: none of its 4 corner markers")
    if not sheets:
        most = max(len({number for number, _ in seen if number // 4 == index}) for index in range(len(PAPERS)))
        if most > 2:
            raise NotAPage(f"{len(seen)} corner markers are seen, but no 3 of one sheet; lay it flat, one in a picture")
        raise NotAPage(f"{most} of the page's 4 corner markers are seen, and 3 are needed")
    sharp = [
        Markers(paper, {corner: _refine(grey, found) for corner, found in corners.items()}) for paper, corners in sheets
    ]
    sharp.sort(key=lambda sheet: -cv2.contourArea(cv2.convexHull(sheet.in_picture().astype(np.float32))))
    return sharp, len(seen) - sum(len(sheet.corners) for sheet in sheets)


def group_markers(seen: list[tuple[int, np.ndarray]]) -> list[Markers]:
    """Which of the markers seen, each with its number, belong to one sheet: those whose squares lie in one plane."""
    likely: list[tuple[float, list[int], Markers]] = []
    for index, paper in enumerate(PAPERS):
        options = [[i for i, (number, _) in enumerate(seen) if number == 4 * index + corner] for corner in range(4)]
        for chosen in product(*([*option[:6], -1] for option in options)):
            corners = {corner: seen[i][1] for corner, i in enumerate(chosen) if i >= 0}
            if len(corners) < 3:
                continue
            sheet = Markers(paper, corners)
            try:
                _, off_mm = lay(sheet.on_page(), sheet.in_picture(), PAPERS[paper])
            except ValueError:
                continue
            if off_mm < _FOREIGN_MM:
                # Any three fit a little better than the four that they are of.
                members = [i for i in chosen if i >= 0]
                likely.append((off_mm + _FOURTH_MM * (4 - len(corners)), members, sheet))
    likely.sort(key=lambda entry: entry[0])
    taken: set[int] = set()
    sheets = []
    for _, members, sheet in likely:
        if taken.isdisjoint(members):
            taken.update(members)
            sheets.append(sheet)
    return sheets


def _refine(grey: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Corners to a fraction of a pixel of the whole picture: (4, 2) float32."""
    side = float(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1).min())
    reach = int(np.clip(side / 6 / 2, 2, 25))  # half a marker's module: nothing else comes into view
    # A window of the picture is enough, and spares OpenCV a copy of it all.
    x0, y0 = np.maximum(0, np.floor(corners.min(axis=0)).astype(int) - 2 * reach)
    x1, y1 = np.ceil(corners.max(axis=0)).astype(int) + 2 * reach
    window = np.ascontiguousarray(grey[y0:y1, x0:x1])
    start = (corners - (x0, y0)).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 40, 0.01)
    refined = cv2.cornerSubPix(window, start.copy(), (reach, reach), (-1, -1), criteria)
    moved = np.linalg.norm(refined - start, axis=1)[:, None]
    return (np.where(moved < reach, refined, start) + np.array([x0, y0])).astype(np.float32)
