"""Writing so that a file or folder is whole or not there; locks and folders."""

import contextlib
import ctypes
import errno
import fcntl
import glob
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fontgan.errors import ConfigError, RunError

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of <fcntl.h> and <stdio.h>
_ASIDE = re.compile(r"\..+-[a-z0-9_]{8}")  # what ``tempfile`` makes of the prefixes here, and -replaced


def atomic_write(file: Path, content: bytes | str) -> None:
    """Writes without a name and gives it one when all is on the disk. Raises: OSError, and leaves what was there.

    A process that is killed leaves nothing of it. Where a file is replaced, its new content has a name aside for a moment;
    what was left there is replaced in turn.
    """
    data = as_utf8(content) if isinstance(content, str) else content
    handle = _open_nameless(file.parent)
    if handle is None:
        _write_aside(file, data)
        return
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(handle)
        _name(handle, file)


def write_json(file: Path, content: Any, *, allow_nan: bool = True) -> None:
    """Writes JSON that people read too, as ``atomic_write`` does."""
    atomic_write(file, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=allow_nan) + "\n")


def _open_nameless(folder: Path) -> int | None:
    """A file of the folder's disk that has no name yet; None where the file system has no such files."""
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            return None
        raise
    os.fchmod(handle, 0o644)
    return handle


def _name(handle: int, file: Path) -> None:
    """Gives a nameless file the name of ``file``, also where another has it."""
    try:
        _link(handle, file)
    except FileExistsError:
        aside = file.with_name(f".{file.name}-replaced")  # a link replaces nothing
        aside.unlink(missing_ok=True)
        with contextlib.suppress(FileExistsError):  # another process that writes the same file: either content is whole
            _link(handle, aside)
        with contextlib.suppress(FileNotFoundError):  # it has put ours in place
            aside.replace(file)


def _link(handle: int, name: Path) -> None:
    # With a folder's handle, though the path needs none, Python takes the call that follows the link in /proc.
    os.link(f"/proc/self/fd/{handle}", name, src_dir_fd=handle, follow_symlinks=True)


def _write_aside(file: Path, data: bytes) -> None:
    handle, aside = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(aside).chmod(0o644)
        Path(aside).replace(file)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def replace_folder(fresh: Path, folder: Path) -> None:
    """Gives ``fresh`` the name ``folder``; what had that name has the one of ``fresh`` afterwards. On Linux' own file
    systems there is no moment without it.

    Raises: OSError if it cannot be renamed, and leaves what was there.
    """
    if not folder.exists():
        fresh.rename(folder)
    elif not _exchange(fresh, folder):
        before = fresh.with_name(f".{folder.name}-replaced")
        folder.rename(before)
        fresh.rename(folder)
        before.rename(fresh)


def _exchange(one: Path, other: Path) -> bool:
    """Exchanges two names at once; False where the system or the file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), str(other))


@contextlib.contextmanager
def temporary_sibling(out: Path) -> Iterator[Path]:
    """A new folder beside ``out`` in which to prepare what it will be; removed at the end. Raises: OSError.

    Those that killed processes left for the same ``out`` are removed first: a dead process holds no lock.
    """
    clear_dead_asides(out)
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        with _hold_folder(aside):
            yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def clear_dead_asides(out: Path) -> None:
    """Removes what ``temporary_sibling`` made for this ``out`` in processes that were killed."""
    for left in out.parent.glob(f".{glob.escape(out.name)}-{'[a-z0-9_]' * 8}"):
        with contextlib.suppress(BlockingIOError), _hold_folder(left):
            shutil.rmtree(left)


@contextlib.contextmanager
def _hold_folder(folder: Path) -> Iterator[None]:
    """Raises: BlockingIOError if another process holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


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


def make_folder_of(out: Path) -> None:
    """Raises: ConfigError if a file could not be written there; said before anything is computed."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise ConfigError(f"out={out}: its folder cannot be written to ({error.strerror}). Name another.") from error


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk: a renamed file is not safe before."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Holds a folder for this process; a dead one holds nothing. Raises: RunError if another process holds it."""
    with (folder / ".lock").open("a") as lock:  # "w" would empty what a link leads to
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(f"{folder}: {what} is at work there. Wait for it or use another folder.") from error
        yield


@contextlib.contextmanager
def shared_lock(folder: Path) -> Iterator[None]:
    """For folders that several processes write into at once, each its own things aside: what killed ones left is removed
    when nobody else is at it. The lock is a file beside the folder, ``<folder>.lock``. Raises: OSError."""
    with folder.with_name(f"{folder.name}.lock").open("a") as lock:
        # Where others are writing, what lies aside may be theirs; the next who is alone clears up.
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clear_asides(folder)
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def cache_folder(configured: str | None) -> Path:
    """Where packs are kept: as configured, else FONTGAN_CACHE, else the user's cache folder."""
    if chosen := configured or os.environ.get("FONTGAN_CACHE"):
        return user_path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fontgan"
