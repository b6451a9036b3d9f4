"""Free disk, the cache, and whether its file system does what reliability rests on."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fontgan.doctor.machine import amount
from fontgan.doctor.rows import Row, Wrong, row

SECTION = "disk"
REFUSED = 3  # exit code of the process that asks for a lock which is held
_ASK_FOR_LOCK = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from pathlib import Path; "
    "from fontgan.errors import RunError; from fontgan.runtime.locks import locked\n"
    "try:\n    with locked(Path(sys.argv[2]), 'another process'): pass\n"
    f"except RunError: sys.exit({REFUSED})"
)


def disk_rows() -> Iterator[Row]:
    yield row(SECTION, "cache", _cache)
    yield row(SECTION, "free disk", _free)
    yield row(SECTION, "files", _files, must_work=True)


def _there(folder: Path) -> Path:
    """A folder, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.is_dir())


def _cache() -> str:
    from fontgan.runtime.files import cache_folder

    folder = cache_folder(None)
    where = "FONTGAN_CACHE is set" if os.environ.get("FONTGAN_CACHE") else "in the user's cache folder"
    if not folder.is_dir():
        return f"{where}; nothing is in it yet"
    sizes = [(Path(parent) / name).lstat().st_size for parent, _, names in os.walk(folder) for name in names]
    packs = [path for path in (folder / "packs").glob("*") if path.is_dir() and not path.name.startswith(".")]
    return f"{where}; {len(packs)} packs, {amount(sum(sizes))} in {len(sizes)} files"


def _free() -> str:
    from fontgan.runtime.files import cache_folder

    places = {
        "the cache": cache_folder(None),
        "this folder": Path.cwd(),
        "temporary files": Path(tempfile.gettempdir()),
    }
    told: dict[str, list[str]] = {}
    for name, path in places.items():
        folder = _there(path)
        told.setdefault(f"{amount(shutil.disk_usage(folder).free)} ({_kind(folder)})", []).append(name)
    return "; ".join(f"{free} for {', '.join(names)}" for free, names in told.items())


def _kind(folder: Path) -> str:
    """The type of the file system, such as ext4 or nfs."""
    import psutil

    mounted = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    found = next((mounted[path] for path in (folder.resolve(), *folder.resolve().parents) if path in mounted), "")
    return found or "file system not known"


def _files() -> str:
    """Tries them where the cache is. Raises: Wrong or OSError."""
    from fontgan.runtime.files import atomic_write, cache_folder, replace_folder, sync_folder
    from fontgan.runtime.locks import locked

    with tempfile.TemporaryDirectory(prefix=".fontgan-doctor-", dir=_there(cache_folder(None))) as name:
        folder = Path(name)
        for content in ("old", "new"):
            atomic_write(folder / "file", content)
        for fresh in ("one", "two"):
            (folder / fresh).mkdir()
            (folder / fresh / fresh).touch()
        replace_folder(folder / "two", folder / "one")
        sync_folder(folder)
        if (folder / "file").read_text(encoding="utf-8") != "new" or not (folder / "one" / "two").exists():
            raise Wrong("a replaced file or folder is the old one where the cache is")
        with locked(folder, "fontgan doctor"):
            held = _ask_for_lock(folder)
        if (held, free := _ask_for_lock(folder)) != (REFUSED, 0):
            raise Wrong(
                f"locks do not hold where the cache is (held {held}, free {free}). Put it on a local disk: FONTGAN_CACHE"
            )
    done = "where the cache is, files are replaced at once, written through and locked"
    if sys.platform == "linux":
        return done
    return f"{done}; what is read back may come from memory, and on Windows a new name is not waited for"


def _ask_for_lock(folder: Path) -> int:
    """By another process, as a process may always take its own. Returns: its exit code."""
    command = [sys.executable, "-P", "-c", _ASK_FOR_LOCK, json.dumps(sys.path), str(folder)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False, timeout=60).returncode
