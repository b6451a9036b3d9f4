"""The ink of a cell whose edges are rough, traced and drawn again along smooth ones.

Black and white gives edges steps and a dark photograph gives them noise. Enlarged, both look like waves of the pen, and
nothing tells them from the writer's own any more; in the picture's own pixels they can still be told.
"""

import numpy as np
from fontTools.pens.freetypePen import FreeTypePen

from fontgan.fontfile.contour import find_contours
from fontgan.fontfile.fit import fit
from fontgan.handwriting.surface import projected

_SPECK_PX = 1.5  # square pixels of the picture; smaller ink is noise
# Of what the contour's samples may be off. Less leaves lumps in round strokes of black-and-white scans at 200 dpi.
_STRAY = 0.7


def retraced(picture: np.ndarray, to_picture: np.ndarray, px: int) -> np.ndarray | None:
    """Grey levels, (px, px) float32, 0 ink .. 255 paper, of what a picture, (H, W) uint8, shows.

    ``to_picture``: (3, 3), indices of the result's pixels -> of the picture's.
    Returns: None if its edges are as exact as grey ones are, so that the picture itself is best.
    """
    contours = find_contours(picture, smallest=_SPECK_PX)
    if contours is None or not contours.grain:
        return None
    pieces = fit(contours, tolerance=_STRAY * contours.grain)
    # Of pieces and pens, pixel i covers i to i + 1; of the matrix, i is its middle.
    start, one, two, end = (
        projected(points - 0.5, np.linalg.inv(to_picture)) + 0.5
        for points in (pieces.start, pieces.one, pieces.two, pieces.end)
    )
    pen, before = FreeTypePen(None), -1
    for i, contour in enumerate(pieces.contour):
        if contour != before:
            if i:
                pen.closePath()
            pen.moveTo(start[i])
            before = contour
        if pieces.line[i]:
            pen.lineTo(end[i])
        else:
            pen.curveTo(one[i], two[i], end[i])
    pen.closePath()
    ink = pen.array(width=px, height=px, transform=(1, 0, 0, -1, 0, px), evenOdd=True)
    return (255 * (1 - ink)).astype(np.float32)
