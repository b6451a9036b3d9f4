"""What commands left on disk, as records: short sums that must be equal, and numbers that must be close.

A record is a list of parts: ``{"label": ..., "sum": ..., "numbers": [...]}``, with ``"note"`` where a name helps to find
what differs but may change.  Sums and numbers do not depend on the names of weights and metrics.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.misc.xmlWriter import XMLWriter
from fontTools.pens.recordingPen import RecordingPen
from fontTools.ttLib import TTFont
from PIL import Image
from safetensors.numpy import load_file

Part = dict[str, Any]
Record = list[Part]

TIMES = re.compile(r"time|second|minute|hour|per_s|throughput|rate")
VERSION = re.compile(r"fontgan \d[\w.]*\d")
HEAD_OF_THE_DAY = ("checkSumAdjustment", "created", "modified")
DIGITS = 16  # of each sum, in hexadecimal


def sum_of(*pieces: bytes | str) -> str:
    """The first digits of the sha256 of all pieces."""
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece.encode() if isinstance(piece, str) else piece)
    return found.hexdigest()[:DIGITS]


def part(label: str, total: str, numbers: Iterable[float] = (), note: str = "") -> Part:
    """One part; numbers have six digits."""
    return {"label": label, "sum": total, "numbers": [_short(x) for x in numbers], "note": note}


def _short(number: float) -> float | str | int:
    number = float(f"{float(number):.6g}")
    if not math.isfinite(number):
        return str(number)
    return int(number) if number == int(number) and abs(number) < 1e6 else number


# -- weights, metrics, packs ------------------------------------------------------------------


def weights(file: Path) -> Record:
    """A part for the tensors of each shape, whose order among themselves does not count, since names decide it."""
    by_shape: dict[str, list[tuple[str, float, float, str]]] = defaultdict(list)
    for name, values in load_file(file).items():
        label = f"{values.dtype} {'x'.join(map(str, values.shape))}".strip()
        by_shape[label].append((sum_of(np.ascontiguousarray(values).tobytes()), *_two_numbers(values), name))
    record = []
    for label, tensors in sorted(by_shape.items()):
        tensors.sort()
        sums, sizes, mixes, names = zip(*tensors, strict=True)
        numbers = (*sorted(sizes), *sorted(mixes))
        record.append(part(f"{len(tensors)} of {label}", sum_of(*sums), numbers, ", ".join(sorted(names))))
    return record


def _two_numbers(values: np.ndarray) -> tuple[float, float]:
    """Root mean square, and a weighted sum in which order and sign count."""
    flat = values.astype(np.float64).ravel()
    if not flat.size:
        return 0.0, 0.0
    return float(np.sqrt(np.mean(flat**2))), float(np.cos(np.arange(1, flat.size + 1)) @ flat / np.sqrt(flat.size))


def metrics(file: Path) -> Record:
    """A part for each line: its numbers in order."""
    record = []
    for line in file.read_text(encoding="utf-8").splitlines():
        numbers = list(_numbers(json.loads(line)))
        record.append(part(f"{len(numbers)} numbers", sum_of(json.dumps(numbers)), numbers))
    return record


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for key, item in value.items():
            if not TIMES.search(key):
                yield from _numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value


def packs(cache: Path) -> Record:
    """A part for each shard of pixels of each pack: its sum, and its mean and mean square by row."""
    record = []
    for file in sorted(cache.rglob("pixels-*.npy")):
        pixels = np.load(file)
        grey = pixels.reshape(len(pixels), -1).astype(np.float64) / 255
        numbers = (*grey.mean(axis=1), *(grey**2).mean(axis=1))
        record.append(part(f"{file.stem} {pixels.shape}", sum_of(pixels.tobytes()), numbers))
    return sorted(record, key=lambda one: (one["label"], one["sum"]))


# -- images, outlines, fonts ------------------------------------------------------------------


def images(folder: Path) -> Record:
    """A part for each image below a folder: its pixels, and the mean grey of 8 by 8 fields."""
    return [_image(file, folder) for file in sorted(folder.rglob("*.png"))]


def _image(file: Path, folder: Path) -> Part:
    image = Image.open(file)
    small = image.convert("L").resize((8, 8), Image.Resampling.BOX)
    label = f"{file.relative_to(folder).with_suffix('').as_posix()} {image.mode} {image.width}x{image.height}"
    return part(label, sum_of(image.tobytes()), np.asarray(small).ravel())


def outlines(ufo: Path) -> Record:
    """A part for each glyph file: its text, and its outline's numbers."""
    record = []
    for file in sorted((ufo / "glyphs").glob("*.glif")):
        text = file.read_text(encoding="utf-8")
        points = [(float(x), float(y)) for x, y in re.findall(r'<point x="([^"]+)" y="([^"]+)"', text)]
        record.append(part(file.stem, sum_of(text), _outline(text.count("<contour>"), points)))
    return record


def _outline(contours: int, points: list[tuple[float, float]]) -> list[float]:
    """Number of contours and points, box, and mean of the points."""
    if not points:
        return [contours, 0]
    xs, ys = zip(*points, strict=True)
    return [contours, len(points), min(xs), min(ys), max(xs), max(ys), sum(xs) / len(xs), sum(ys) / len(ys)]


def font(file: Path) -> Record:
    """A part for each table, without times and versions, then one for each glyph's advance and outline."""
    opened = TTFont(file, recalcTimestamp=False)
    record = [part(tag, sum_of(_table_text(opened, tag))) for tag in sorted(set(opened.keys()) - {"GlyphOrder"})]
    glyphs = opened.getGlyphSet()
    for name in sorted(glyphs.keys()):
        pen = RecordingPen()
        glyphs[name].draw(pen)
        points = [point for _, arguments in pen.value for point in arguments if point is not None]
        contours = sum(operation == "moveTo" for operation, _ in pen.value)
        record.append(part(name, sum_of(repr(pen.value)), [glyphs[name].width, *_outline(contours, points)]))
    return record


def _table_text(opened: TTFont, tag: str) -> str:
    lines = _Lines()
    writer = XMLWriter(lines)
    opened[tag].toXML(writer, opened)
    kept = (
        line for line in lines.text().splitlines() if not (tag == "head" and any(k in line for k in HEAD_OF_THE_DAY))
    )
    return VERSION.sub("fontgan VERSION", "\n".join(kept))


class _Lines:
    """A file in memory, as XMLWriter wants it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes | str) -> None:
        self.written.append(data if isinstance(data, bytes) else data.encode())

    def text(self) -> str:
        return b"".join(self.written).decode()


# -- all of it --------------------------------------------------------------------------------

# By the folder that a command's name begins with.
READERS: dict[str, Callable[[Path], Record]] = {"images": images, "outlines": outlines, "fonts": font}


def of_training(run: Path) -> dict[str, Record]:
    """Records of a run's newest checkpoint and of its metrics, by file."""
    newest = sorted((run / "checkpoints").glob("step-*"))[-1]
    files = sorted(file for file in newest.glob("*.safetensors") if file.name != "training.safetensors")
    return {file.stem: weights(file) for file in files} | {"metrics": metrics(run / "metrics.jsonl")}


def of_command(name: str, folder: Path) -> Record:
    """The record of what a command left in ``folder / name``."""
    return READERS[name.partition("/")[0]](folder / name)
