"""Font files from outside: read and drawn once under limits, before this process opens them.

FreeType and fontTools take a font at its word: a few hundred bytes can ask for hours, for all memory, or end the process.
So another process does first what this one is about to do, and a font that it got through is remembered by its hash.
"""

import hashlib
import logging
from pathlib import Path

from fontgan.errors import DataError
from fontgan.runtime.files import atomic_write, cache_folder
from fontgan.untrusted.sandbox import LimitExceeded, Limits, run_sandboxed

log = logging.getLogger(__name__)

VETTING = 1  # change it when more is looked at: what passed before is looked at anew
MAX_BYTES = 256 << 20  # of a file; the largest collections of Chinese fonts have about 200 MB
_BUNDLED = (Path(__file__).parents[1] / "assets").resolve()


def read_font(path: Path) -> bytes:
    """The bytes of a font file. Raises: DataError if there are more than any font has; OSError."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DataError(f"{path}: has more than {MAX_BYTES >> 20} MB, which no font has. Give a TTF, OTF, TTC or WOFF.")
    return data


def vet_font(
    path: Path, data: bytes, digest: str, *, index: int | None, instance: str | None, tables: bool = False
) -> None:
    """Sees that a font can be opened and every glyph drawn, in bounded time and memory.

    Args:
        path: where ``data`` came from, for messages. The bundled fonts are not looked at.
        digest: its SHA-256.
        index, instance: as ``FontGlyphs`` takes them.
        tables: whether glyphs are to be added to it, so that its tables are read too.
    Raises: DataError if it cannot be opened, or takes too much.
    """
    if path.resolve().is_relative_to(_BUNDLED):
        return
    import freetype
    from fontTools import version

    # The file that says that it passed; with other versions of the readers it has another name.
    key = f"{VETTING}|{version}|{freetype.version()}|{digest}|{index}|{instance}|{tables}"
    known = cache_folder(None) / "fonts-vetted" / hashlib.sha256(key.encode()).hexdigest()
    if known.is_file():
        return
    # Real outlines need bytes, so time and memory grow with these; a MB takes 0.15 s.
    limits = Limits(cpu_s=2 + 1.5e-6 * len(data), memory_bytes=(512 << 20) + 8 * len(data))
    try:
        run_sandboxed(
            "fontgan.fontfile.vet_worker:look_over", data, limits,
            path=str(path), index=index, instance=instance, tables=tables,
        )  # fmt: skip
    except LimitExceeded as error:
        raise DataError(
            f"{path}: not a font that can be used: {error}. It is broken or made to do harm; get it anew from its maker."
        ) from error
    except OSError as error:
        raise DataError(
            f"{path}: cannot be looked over, as no process can be started for it ({error.strerror}). "
            "See whether memory is short."
        ) from error
    try:
        known.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(known, b"")
    except OSError as error:  # it will be looked over again, which takes its time and changes nothing
        log.debug("%s: cannot be written (%s)", known, error.strerror)
