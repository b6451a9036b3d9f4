"""What Linux alone offers, and what is done without it.

Every function here tells whether it did its work, so that who calls it does the next best elsewhere.
docs/reference/reliability.md says which promise is the weaker for it.
"""

import contextlib
import ctypes
import errno
import os
import re
import sys
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of <fcntl.h> and <stdio.h>
# What a file system answers that does not know of a call.
_UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EISDIR)


def write_nameless(file: Path, data: bytes) -> bool:
    """Writes without a name and gives the file its name when all is on the disk: one killed in between leaves nothing.

    Where a file is replaced, its new content has a name aside for a moment; what was left there is replaced in turn.
    Returns: false, with nothing done, where there are no such files. Raises: OSError, and leaves what was there.
    """
    if sys.platform != "linux":
        return False
    try:
        handle = os.open(file.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return False
        raise
    with os.fdopen(handle, "wb") as stream:
        os.fchmod(handle, 0o644)
        stream.write(data)
        stream.flush()
        os.fsync(handle)
        try:
            _link(handle, file)
        except FileExistsError:
            aside = file.with_name(f".{file.name}-replaced")  # a link replaces nothing
            aside.unlink(missing_ok=True)
            with contextlib.suppress(FileExistsError):  # another process writes the same file: either content is whole
                _link(handle, aside)
            with contextlib.suppress(FileNotFoundError):  # it has put ours in place
                aside.replace(file)
    return True


def _link(handle: int, name: Path) -> None:
    # With a folder's handle, though the path needs none, Python takes the call that follows the link in /proc.
    os.link(f"/proc/self/fd/{handle}", name, src_dir_fd=handle, follow_symlinks=True)


def exchange(one: Path, other: Path) -> bool:
    """Exchanges two names at once. Returns: false where the system or the file system cannot. Raises: OSError."""
    if sys.platform != "linux":
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # another C library
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), str(other))


def start_writing(descriptor: int, *, offset: int = 0, length: int = 0) -> bool:
    """Has the system put a part of a file, 0: all, on the disk now, and forget what is there already: it is then read
    from the disk. Returns: false where the system cannot be asked.
    """
    if sys.platform != "linux":
        return False
    os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)
    return True


def cpu_model() -> str:
    """The processor's name; empty where the kernel does not say it."""
    file = Path("/proc/cpuinfo")  # on no other system
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    named = re.search(r"^model name\s*:(.*)", text, re.MULTILINE)
    return named[1].strip() if named else ""
