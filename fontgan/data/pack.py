"""Pairs <-> a memory-mapped file of uint8 images, made once and found again by the hash of what is in it.

A pack is a folder ``<key>/`` with ``pixels.npy``, (rows, size, size) uint8, 0 ink .. 255 paper, and
``index.json``: the manifest and, for the source and each style, its characters in row order.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fontgan.data.frame import Frame
from fontgan.data.pairs import PairPlan, manifest
from fontgan.errors import DataError

log = logging.getLogger(__name__)

FORMAT = 1
SOURCE = "source"


@dataclass(frozen=True)
class Pack:
    """An opened pack."""

    path: Path
    pixels: np.ndarray  # (rows, size, size) uint8, memory-mapped
    rows: dict[str, dict[str, int]]  # member name -> character -> row
    manifest: dict[str, Any]
    model_styles: tuple[str, ...]  # in the order of the style weights; more than ``styles`` after init_from

    @property
    def styles(self) -> list[str]:
        return [name for name in self.rows if name != SOURCE]

    def for_model(self, styles: Sequence[str]) -> Pack:
        """The same glyphs for a model that knows these styles, those without glyphs here among them."""
        return replace(self, model_styles=tuple(styles))

    @property
    def size(self) -> int:
        return int(self.manifest["size"])

    @property
    def held_out(self) -> list[str]:
        return list(self.manifest["held_out"])

    @property
    def trained(self) -> list[str]:
        return list(self.manifest["trained"])

    def frame(self, member: str) -> Frame:
        """The member's own cell -> canvas pixels."""
        return member_frame(self.manifest, member)


def member_frame(manifest: dict[str, Any], member: str) -> Frame:
    """The own cell of the source or of a style -> canvas pixels, as the manifest of a pack or run stores it."""
    entry = next(entry for entry in manifest["members"] if entry["name"] == member)
    return Frame.from_dict(entry["align"]).then(Frame.from_dict(manifest["cell_to_canvas"]))


def cache_folder(configured: str | None) -> Path:
    """Where packs are kept: as configured, else FONTGAN_CACHE, else the user's cache folder."""
    if configured:
        return Path(configured).expanduser()
    if os.environ.get("FONTGAN_CACHE"):
        return Path(os.environ["FONTGAN_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fontgan"


def pack_key(plan: PairPlan) -> str:
    """A hash of everything that shapes the pack: glyphs, characters, split, transforms, size."""
    chars = set(plan.chars)
    recipe = {
        "format": FORMAT,
        "size": plan.size,
        "canvas": plan.canvas.as_dict(),
        "chars": "".join(plan.chars),
        "held_out": "".join(plan.held_out),
        "members": [
            {
                "name": member.name,
                "align": member.align.as_dict(),
                "glyphs": member.glyphs.fingerprint([c for c in member.survey.present if c in chars]),
            }
            for member in plan.members
        ],
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:24]


def make_pack(plan: PairPlan, cache: Path) -> Pack:
    """Finds the plan's pack in the cache, or draws it there.

    It is written aside and renamed, so a pack is whole or not there, and two runs that make the same one at
    once both end with it.

    Raises: OSError if the cache cannot be written.
    """
    folder = cache / "packs" / pack_key(plan)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _write(plan, aside)
            aside.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another run finished the same pack first, and it serves as well
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)  # nothing is there any more once it was renamed
        log.info("packed %d characters into %s", len(plan.chars), folder)
    else:
        log.info("found the glyphs packed in %s", folder)
    return open_pack(folder)


def open_pack(folder: Path) -> Pack:
    """Opens a pack without loading it. Raises: DataError if it is damaged."""
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        pixels = np.load(folder / "pixels.npy", mmap_mode="r", allow_pickle=False)
        rows: dict[str, dict[str, int]] = {}
        row = 0
        for name, chars in index["rows"].items():
            rows[name] = {char: row + i for i, char in enumerate(chars)}
            row += len(chars)
        size = index["manifest"]["size"]
        if pixels.dtype != np.uint8 or pixels.shape != (row, size, size):
            raise ValueError(f"pixels.npy is {pixels.dtype} {pixels.shape}, the index says uint8 {(row, size, size)}")
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{folder}: the pack is damaged ({error}). Delete that folder; it is made again.") from error
    return Pack(folder, pixels, rows, index["manifest"], tuple(name for name in rows if name != SOURCE))


def _write(plan: PairPlan, folder: Path) -> None:
    chars = set(plan.chars)
    jobs = [(member, [c for c in member.survey.present if c in chars]) for member in plan.members]
    total = sum(len(drawn) for _, drawn in jobs)
    shape = (total, plan.size, plan.size)
    with (
        (folder / "pixels.npy").open("wb") as file,
        tqdm(total=total, unit="glyph", desc="packing", leave=False) as bar,
    ):
        # Written plainly: through a memory map a full disk would kill the process instead of raising OSError.
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for member, drawn in jobs:
            frame = plan.frame(member)
            for char in drawn:
                file.write(member.glyphs.draw(char, frame, plan.size).tobytes())
                bar.update()
        file.flush()
        os.fsync(file.fileno())
    index = {"rows": {member.name: "".join(drawn) for member, drawn in jobs}, "manifest": manifest(plan)}
    (folder / "index.json").write_text(json.dumps(index, ensure_ascii=False, indent=1), encoding="utf-8")
