"""A folder of drawn glyphs, and the manifest that says how they were made."""

import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fontgan.data.image_source import ANIMATION, MANIFEST, SHEET, STRIP, image_files
from fontgan.data.view import View
from fontgan.errors import DataError, shorten
from fontgan.generate.run import BaseRun, Style
from fontgan.runtime.file_names import alike
from fontgan.runtime.files import atomic_write
from fontgan.untrusted.plain_json import read_json

log = logging.getLogger(__name__)

SAME = (  # what results in one folder have in common
    "checkpoint", "style", "style_path", "frames", "extrapolate", "drawn_from", "weights", "references",
    "size", "cell_to_canvas",
)  # fmt: skip


def describe_results(run: BaseRun, style: Style | None, drawn_from: str, view: View) -> dict[str, Any]:
    """What the manifest says, and what a later start must agree with to add to these results."""
    member: dict[str, Any] = next((m for m in run.manifest["styles"] if m["name"] == style), {})  # none of a mixture
    return {
        "made_by": "fontgan infer",
        "checkpoint": run.name,
        "weights": run.weights_hash,
        "style": style,
        "references": run.references or None,
        "drawn_from": drawn_from,
        "size": view.side,
        "cell_to_canvas": view.cell.as_dict(),
        **{key: value for key, value in member.items() if key == "to_cell"},  # a font's: the way back to its units
    }


def prepare_folder(
    out: Path, facts: dict[str, Any], *, overwrite: bool, same: tuple[str, ...], names: Sequence[str] = ()
) -> None:
    """Makes a result folder with its manifest, or accepts one that holds results of the same making.

    Args:
        same: the facts that results of one making have in common.
        overwrite: take the folder also from another making. Its overviews go; glyphs that are not drawn anew stay, and
            a warning says so.
        names: of the glyphs about to be drawn.
    Raises: DataError if the folder holds something else; OSError if it cannot be written.
    """
    if out.exists() and not out.is_dir():
        raise DataError(f"out={out}: is a file. Name a folder.")
    file = out / MANIFEST
    if file.is_file():
        there: Any = {}
        with suppress(OSError, ValueError):
            there = read_json(file)
        there = there if isinstance(there, dict) else {}
        # A path has no style and a style no path; what is there says more than what is not.
        other = sorted((k for k in same if there.get(k) != facts.get(k)), key=lambda k: there.get(k) is None)
        if other and not overwrite:
            value = there.get(other[0])
            said = shorten(value) if isinstance(value, list) else value
            raise DataError(
                f"out={out}: holds results of another {other[0]} ({said}). Name another out=, or overwrite=true."
            )
        if other:
            if str(there.get("made_by")).startswith("fontgan"):
                for overview in (SHEET, STRIP, ANIMATION):
                    (out / overview).unlink(missing_ok=True)
            anew = {alike(name) for name in names}
            staying = [image.name for image in image_files(out) if alike(image.stem) not in anew]
            if staying:
                log.warning("%s: held results of another %s, and these stay there: %s", out, other[0], shorten(staying))
    elif not overwrite and out.is_dir() and image_files(out):
        raise DataError(f"out={out}: holds images that fontgan did not make. Name another out=, or overwrite=true.")
    out.mkdir(parents=True, exist_ok=True)
    atomic_write(file, json.dumps(facts, ensure_ascii=False, indent=1))
