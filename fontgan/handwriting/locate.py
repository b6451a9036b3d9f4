"""A picture of a page -> where the page lies in it, and what its code says.

Pictures: (H, W) uint8 grey.  Their pixel centres are whole numbers, as OpenCV counts.
"""

from typing import NamedTuple

import cv2
import numpy as np

from fontgan.handwriting.sheet import CODE_MM, MAX_MODULES, PAPERS, NotAPage, Page, code_box, marker_boxes

_LOOK_PX = (1600, 2600, 1000)  # long sides at which markers are looked for: quick first, then small, then noisy ones
_BENT_MM = 0.7  # markers' corners this far (root mean square) from a flat page's: cells are no longer met
_SAMPLES = 5  # a side of each module of the code
_CORNERS = ("top left", "top right", "bottom right", "bottom left")
_TURNS = [[0, 1], [2, 1], [2, 3], [0, 3]]  # of left, top, right, bottom: the corners' x and y


class Located(NamedTuple):
    page: Page
    to_picture: np.ndarray  # (3, 3), millimetres of the page -> pixel indices of the picture
    findings: list[str]  # what may harm the result


def find_page(grey: np.ndarray) -> Located:
    """Finds a page, however it is turned. Raises: NotAPage if there is none, more than one, or its code is not read."""
    paper, seen = find_markers(grey)
    findings = []
    if len(seen) == 3:
        lost = next(corner for corner in range(4) if corner not in seen)
        findings.append(f"the marker {_CORNERS[lost]} is not seen; the cells near it may be off")
    boxes = np.array(list(marker_boxes(paper).values()), np.float32)
    on_page = np.concatenate([boxes[corner, _TURNS] for corner in seen])
    in_picture = np.concatenate(list(seen.values()))
    to_picture, _ = cv2.findHomography(on_page, in_picture)
    if to_picture is None:
        raise NotAPage("its markers lie in no plane")
    off = cv2.perspectiveTransform(in_picture[None], np.linalg.inv(to_picture))[0] - on_page
    off_mm = float(np.sqrt((off**2).sum(axis=1).mean()))
    if off_mm > _BENT_MM:
        findings.append(f"the page is bent, or the lens bends it: its markers are {off_mm:.1f} mm off; lay it flat")
    page = read_code(grey, to_picture, paper)
    if page.paper != paper:
        raise NotAPage(f"its code is of a page of paper {page.paper}, its markers of {paper}")
    return Located(page, to_picture, findings)


def find_markers(grey: np.ndarray) -> tuple[str, dict[int, np.ndarray]]:
    """Looks for the corner markers at several sizes.

    Returns: the paper, and by corner (0 to 3, clockwise from the top left) a marker's corners, (4, 2) float32.
    Raises: NotAPage if fewer than three of one page are there, or some twice.
    """
    settings = cv2.aruco.DetectorParameters()
    settings.adaptiveThreshWinSizeMax = 53  # wide enough for a marker's black ring in a 600 dpi scan scaled down
    settings.adaptiveThreshWinSizeStep = 10
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50), settings)
    best: dict[int, np.ndarray] = {}
    paper = next(iter(PAPERS))
    for long_side in _LOOK_PX:
        scale = min(1.0, long_side / max(grey.shape))
        small = grey if scale == 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found, ids, _ = detector.detectMarkers(small)
        numbers = [] if ids is None else [int(n) for n in np.ravel(ids)]
        for index, name in enumerate(PAPERS):
            own = {n % 4: corners for corners, n in zip(found, numbers, strict=True) if n // 4 == index}
            if len(own) >= 3 and len(own) != sum(n // 4 == index for n in numbers):
                raise NotAPage("more than one page is in the picture; take one picture a page")
            if len(own) > len(best):
                paper = name
                best = {corner: (own[corner].reshape(4, 2) + 0.5) / scale - 0.5 for corner in sorted(own)}
        if len(best) == 4:
            break
    if not best:
        raise NotAPage("no page of fontgan template is seen: none of its 4 corner markers")
    if len(best) < 3:
        raise NotAPage(f"{len(best)} of the page's 4 corner markers are seen, and 3 are needed")
    return paper, {corner: _refine(grey, corners) for corner, corners in best.items()}


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


def read_code(grey: np.ndarray, to_picture: np.ndarray, paper: str) -> Page:
    """Reads the page's code where it must stand. Raises: NotAPage if it cannot be read or says something else.

    Each module is sampled at its place and drawn anew, black or white, and OpenCV reads that drawing: it reads
    clean codes of any size with its corners given, and photographs of large ones often not.
    """
    box = code_box(paper)
    for nudge in ((0, 0), (0.2, 0), (-0.2, 0), (0, 0.2), (0, -0.2), (0.2, 0.2), (-0.2, -0.2), (0.2, -0.2), (-0.2, 0.2)):
        for modules in _likely_sizes(grey, to_picture, box.x0 + nudge[0], box.y0 + nudge[1]):
            text = _read_modules(modules)
            if text:
                return Page.from_text(text)
    raise NotAPage("its code cannot be read; take a sharper or closer picture, with the code clean")


def _likely_sizes(grey: np.ndarray, to_picture: np.ndarray, x: float, y: float) -> list[np.ndarray]:
    """The code sampled with as many modules a side as it may have, the likeliest first; (n, n) bool, True is black."""
    likely = []
    for count in range(21, MAX_MODULES + 1, 4):
        to_mm = grid_to_mm(CODE_MM / count / _SAMPLES, x, y)
        fine = count * _SAMPLES
        # INTER_AREA does not exist here; the picture's own blur stands in, and five samples a side are averaged.
        drawn = cv2.warpPerspective(
            grey, to_picture @ to_mm, (fine, fine), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=255
        )
        # The middle three fifths of each module: its rim belongs half to its neighbours.
        levels = drawn.reshape(count, _SAMPLES, count, _SAMPLES)[:, 1:-1, :, 1:-1].mean(axis=(1, 3), dtype=np.float32)
        # Light falls off across the code: black is what is darker than the middle of its surroundings' extremes.
        kernel = np.ones((9, 9), np.uint8)  # wider than a finder pattern's black
        low, high = cv2.erode(levels, kernel), cv2.dilate(levels, kernel)
        black = levels < cv2.blur((low + high) / 2, (5, 5))
        likely.append((_finder_fit(black), black))
    likely.sort(key=lambda entry: -entry[0])
    return [black for fit, black in likely[:3] if fit > 0.8]


def _finder_fit(black: np.ndarray) -> float:
    """Share of the three corner patterns' modules, with the white around them, that are as they must be."""
    away = np.abs(np.arange(8) - 3)
    from_middle = np.maximum(away, away[:, None])  # a black square, a white ring, a black one, and white
    ring = (from_middle <= 1) | (from_middle == 3)
    corners = (black[:8, :8], black[:8, -8:][:, ::-1], black[-8:, :8][::-1])
    return float(np.mean([np.mean(corner == ring) for corner in corners]))


def _read_modules(black: np.ndarray) -> str:
    """What OpenCV reads in a clean drawing of the modules; empty if nothing."""
    scale, border = 8, 40
    modules = np.kron(np.where(black, 0, 255), np.ones((scale, scale))).astype(np.uint8)
    drawn = np.pad(modules, border, constant_values=255)
    far = border + scale * len(black) - 1
    corners = np.array([[[border, border], [far, border], [far, far], [border, far]]], np.float32)
    try:
        return str(cv2.QRCodeDetector().decode(drawn, corners)[0])
    except (cv2.error, UnicodeDecodeError):  # what it raises on modules that are no code
        return ""


def pixels_per_mm(to_picture: np.ndarray, x: float, y: float) -> float:
    """How large the picture shows the page at a place."""
    around = np.array([[[x, y], [x + 1, y], [x, y + 1]]], np.float64)
    at = cv2.perspectiveTransform(around, to_picture)[0]
    return float(np.sqrt(abs(np.linalg.det(at[1:] - at[0]))))


def grid_to_mm(step: float, x: float, y: float) -> np.ndarray:
    """Indices of a grid's squares, of ``step`` millimetres from (x, y) on -> their middles on the page: (3, 3)."""
    return np.array([[step, 0, x + step / 2], [0, step, y + step / 2], [0, 0, 1]])
