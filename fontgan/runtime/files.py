"""Writing so that a file or folder is whole or not there; where files go."""

import contextlib
import glob
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import platformdirs

from fontgan.errors import ConfigError
from fontgan.runtime import linux
from fontgan.runtime.file_names import is_of_the_system, portable
from fontgan.runtime.locks import hold

_ASIDE = re.compile(r"\..+-[a-z0-9_]{8}")  # what ``tempfile`` makes of the prefixes here, and -replaced
_PATIENCE_S = (0.01, 0.1, 0.5)


def atomic_write(file: Path, content: bytes | str) -> None:
    """Writes aside and gives the content its name when all is on the disk. Raises: OSError, and leaves what was there."""
    data = as_utf8(content) if isinstance(content, str) else content
    if not linux.write_nameless(file, data):
        _write_aside(file, data)


def write_json(file: Path, content: Any, *, allow_nan: bool = True) -> None:
    """Writes JSON that people read too, as ``atomic_write`` does."""
    atomic_write(file, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=allow_nan) + "\n")


def _write_aside(file: Path, data: bytes) -> None:
    handle, aside = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(aside).chmod(0o644)
        replace(Path(aside), file)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def replace(file: Path, to: Path) -> None:
    """Gives a file the name ``to``, also where another has it. Raises: OSError.

    On Windows a scanner of viruses may hold a file that was just written; it lets go of it in a moment.
    """
    for wait_s in _PATIENCE_S if os.name == "nt" else ():
        with contextlib.suppress(PermissionError):
            file.replace(to)
            return
        time.sleep(wait_s)
    file.replace(to)


def replace_folder(fresh: Path, folder: Path) -> None:
    """Gives ``fresh`` the name ``folder``; what had that name has the one of ``fresh`` afterwards. On Linux' own file
    systems there is no moment without it; elsewhere ``temporary_sibling`` puts back what one killed in that moment left.

    Raises: OSError if it cannot be renamed, and leaves what was there.
    """
    if not folder.exists():
        replace(fresh, folder)
    elif not linux.exchange(fresh, folder):
        before = _before(folder)
        replace(folder, before)
        replace(fresh, folder)
        replace(before, fresh)


def _before(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}-replaced")


@contextlib.contextmanager
def temporary_sibling(out: Path) -> Iterator[Path]:
    """A new folder beside ``out`` in which to prepare what it will be; removed at the end. Raises: OSError.

    Those that killed processes left for the same ``out`` are removed first: a dead process holds no lock.
    """
    clear_dead_asides(out)
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        with hold(aside / ".lock"):
            yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def clear_dead_asides(out: Path) -> None:
    """Removes what ``temporary_sibling`` made for this ``out`` in processes that were killed."""
    if not out.exists() and _before(out).exists():
        replace(_before(out), out)
    _clear_dead(out.parent, glob.escape(out.name))


def clear_all_dead_asides(folder: Path) -> None:
    """Removes what ``temporary_sibling`` made in a folder, for whatever name, in processes that were killed."""
    _clear_dead(folder, "*")


def _clear_dead(folder: Path, name: str) -> None:
    for left in folder.glob(f".{name}-{'[a-z0-9_]' * 8}/"):
        with contextlib.suppress(BlockingIOError):
            with hold(left / ".lock"):
                shutil.rmtree(left, ignore_errors=True)
            shutil.rmtree(left, ignore_errors=True)  # Windows removes no file that is open, as the lock was


def as_utf8(text: str) -> bytes:
    """The text as UTF-8; what is left of a file name that is none, as the escape that JSON has for it."""
    return text.encode("utf-8", "backslashreplace")


def clear_asides(folder: Path) -> None:
    """Removes what killed processes left half-written in a folder; call it while nobody else can be writing there.

    Raises: OSError if something cannot be removed.
    """
    for path in folder.iterdir() if folder.is_dir() else ():
        if not _ASIDE.fullmatch(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def user_path(spec: str | Path) -> Path:
    """A path as a user types it: ``~`` and ``~name`` are home folders, or plain names where there is no such user."""
    return Path(os.path.expanduser(spec))  # noqa: PTH111  # pathlib's own raises RuntimeError for an unknown user


def out_file(key: str, value: str | Path, *endings: str, overwrite: bool = True, make_folder: bool = False) -> Path:
    """The file that a setting asks to be written; said before anything is computed.

    Args:
        endings: those that its name may have, in small letters.
        overwrite: false if it must not be there yet.
        make_folder: whether its folder is made later, where it is lacking.
    Raises: ConfigError if it cannot be written.
    """
    file = user_path(value)
    if file.suffix.lower() not in endings or file.is_dir():
        raise ConfigError(
            f"{key}={value}: {'is a folder' if file.is_dir() else 'has another ending'}. Name a file that ends in {' or '.join(endings)}."
        )
    if sys.platform == "win32" and (taken := portable(file.name, max_bytes=255)) != file.name:
        raise ConfigError(f"{key}={value}: is a name that Windows keeps for itself or refuses. Call it {taken}, say.")
    if file.exists() and not overwrite:
        raise ConfigError(f"{key}={value}: is there already. Name another file, or overwrite=true.")
    if not make_folder and not file.absolute().parent.is_dir():
        raise ConfigError(f"{key}={value}: its folder does not exist. Make it, or name another file.")
    return file


def page_file(value: str, verb: str, mark: str, *endings: str, beside: Sequence[str]) -> Path:
    """The page that a verb writes, over its own alone, with files of other endings beside it. Raises: ConfigError."""
    out = out_file("out", value, *endings, make_folder=True)
    if out.is_file() and mark.encode() not in out.read_bytes()[:4096]:
        raise ConfigError(f"out={out}: is a page that {verb} did not make. Name another file.")
    taken = [file.name for ending in beside if (file := out.with_suffix(ending)).exists()]
    if taken and not out.is_file():
        raise ConfigError(f"out={out}: {taken[0]} is there already and would be written too. Name another file.")
    return out


def own_folder(key: str, value: str, verb: str, *, file: str, mark: str, overwrite: bool) -> Path:
    """The folder that a setting names for a verb to write, over its own alone.

    Args:
        file, mark: a file that the verb leaves in its folders, and what it holds near its beginning.
    Raises: ConfigError if something is there that is not to be replaced.
    """
    out = user_path(value)
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{key}={value}: is a file. Name a folder.")
    if out.is_dir() and not all(is_of_the_system(there.name) for there in out.iterdir()):
        made = out / file
        if not made.is_file() or mark.encode() not in made.read_bytes()[:4096]:
            raise ConfigError(f"{key}={value}: holds things that {verb} did not make. Name another folder.")
        if not overwrite:
            raise ConfigError(f"{key}={value}: is there already. Name another folder, or overwrite=true.")
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"{key}={value}: its folder does not exist. Make it, or name another.")
    return out


def make_folder_of(out: Path) -> None:
    """Raises: ConfigError if a file could not be written there; said before anything is computed."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ConfigError(f"out={out}: its folder cannot be written to ({error.strerror}). Name another.") from error


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk: a renamed file is not safe before. Windows has no such call."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cache_folder(configured: str | None) -> Path:
    """Where packs are kept: as configured, else FONTGAN_CACHE, else where the system has users' caches."""
    if chosen := configured or os.environ.get("FONTGAN_CACHE"):
        return user_path(chosen)
    return platformdirs.user_cache_path("fontgan", appauthor=False)
