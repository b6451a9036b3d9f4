"""The folder of glyphs by hand, ``hand/``: photographs cut by ``fontgan scan`` and drawings of the screen lie in one frame."""

from pathlib import Path
from typing import Any

from fontgan.data.image_source import MANIFEST, image_files
from fontgan.data.name_reading import char_from_name
from fontgan.handwriting.sheet import canvas_frame
from fontgan.runtime.files import write_json
from fontgan.untrusted.plain_json import read_json

SIZE = 256  # px of a glyph image: what ``fontgan scan`` cuts


def begin_hand(folder: Path, made_by: str = "fontgan scan") -> None:
    """Makes the folder, with a manifest that says how its images lie, as ``fontgan scan`` goes on with it."""
    if (folder / MANIFEST).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    frame = canvas_frame(SIZE).as_dict()
    write_json(folder / MANIFEST, {"made_by": made_by, "size": SIZE, "cell_to_canvas": frame})


def glyphs_of(folder: Path) -> list[str]:
    """Characters that have an image."""
    if not folder.is_dir():
        return []
    found = (char_from_name(file.stem) for file in image_files(folder))
    return [char for char in found if char]


def doubts_of(folder: Path) -> dict[str, list[str]]:
    """What ``fontgan scan`` doubts: name of a glyph -> why."""
    try:
        manifest: Any = read_json(folder / MANIFEST)
    except (OSError, ValueError):
        return {}
    found = manifest.get("doubtful") if isinstance(manifest, dict) else None
    return {
        str(name): [str(why) for why in doubts] for name, doubts in (found or {}).items() if isinstance(doubts, list)
    }
