"""Python begins with this where the folder is on its path: then fontgan finds the system that FONTGAN_PRETEND names.

What Windows (``win32``) or a Mac (``darwin``) lacks is hidden from fontgan's own modules, other libraries see Linux as it is.
For ``win32`` names are taken, renamed and removed as there: nothing may have a name that Windows refuses, no file that
this process has open can be renamed or removed, nor a folder of such files, and a folder cannot be opened.
"""

import builtins
import errno
import os
import re
import sys
import types
from pathlib import Path

SYSTEM = os.environ.get("FONTGAN_PRETEND", "")

MODULES = {
    "win32": {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "curses", "readline"},
    "darwin": {"spwd", "ossaudiodev"},
}
NOT_ON_A_MAC = {
    "os": {
        "O_TMPFILE", "posix_fadvise", "posix_fallocate", "sched_getaffinity", "sched_setaffinity", "memfd_create",
        "eventfd", "copy_file_range", "splice", "pidfd_open", "fdatasync", "getrandom", "setns", "unshare",
        "POSIX_FADV_DONTNEED", "getxattr", "setxattr", "pipe2",
    },
    "signal": {"sigtimedwait", "sigwaitinfo", "SIGRTMIN", "SIGRTMAX", "SIGPWR", "SIGPOLL"},
    "select": {"epoll"},
    "resource": {"prlimit", "RLIMIT_NICE", "RLIMIT_MSGQUEUE", "RLIMIT_SIGPENDING"},
}  # fmt: skip
NOT_ON_WINDOWS = {
    "os": NOT_ON_A_MAC["os"] | {
        "fork", "forkpty", "wait", "wait3", "wait4", "waitid", "killpg", "getpgid", "setpgid", "setsid", "getuid", "geteuid",
        "getgid", "getgroups", "chown", "fchown", "lchown", "fchmod", "mkfifo", "mknod", "preadv", "pwritev", "pread",
        "pwrite", "readv", "writev", "sendfile", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_SYNC", "nice",
        "getloadavg", "sysconf", "statvfs", "fstatvfs", "sync", "uname", "getpriority", "posix_spawn", "WIFEXITED",
        "WEXITSTATUS", "WNOHANG", "openpty", "ttyname", "lockf", "register_at_fork", "set_blocking", "confstr",
    },
    "signal": NOT_ON_A_MAC["signal"] | {
        "SIGKILL", "SIGXCPU", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGWINCH", "SIGQUIT",
        "pthread_sigmask", "pthread_kill", "alarm", "setitimer", "pause", "sigwait", "siginterrupt", "SIG_BLOCK", "SIG_SETMASK",
    },
    "select": {"epoll", "poll"},
    "time": {"tzset", "clock_gettime"},
    "socket": {"AF_UNIX"},
}  # fmt: skip
HIDDEN = {"win32": NOT_ON_WINDOWS, "darwin": NOT_ON_A_MAC}


class Seen(types.ModuleType):
    """A module as fontgan finds it."""

    def __init__(self, real: types.ModuleType, hidden: set[str], own: dict[str, object]):
        super().__init__(real.__name__)
        self.__dict__["_real"], self.__dict__["_hidden"] = real, hidden
        self.__dict__.update(own)

    def __getattr__(self, name: str) -> object:
        if name in self._hidden:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} on {SYSTEM}")
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)


def pretend() -> None:
    import select
    import signal
    import socket
    import time

    own = {"sys": {"platform": SYSTEM}, "os": {"open": _open_no_folder} if SYSTEM == "win32" else {}}
    real = {"os": os, "sys": sys, "signal": signal, "select": select, "time": time, "socket": socket}
    seen = {name: Seen(module, HIDDEN[SYSTEM].get(name, set()), own.get(name, {})) for name, module in real.items()}
    before = builtins.__import__

    def find(name, globals=None, locals=None, fromlist=(), level=0):  # type: ignore[no-untyped-def]
        if level == 0 and str((globals or {}).get("__package__") or "").partition(".")[0] == "fontgan":
            if name.partition(".")[0] in MODULES[SYSTEM]:
                raise ModuleNotFoundError(f"No module named {name!r} on {SYSTEM}", name=name)
            if name in seen:
                return seen[name]
        return before(name, globals, locals, fromlist, level)

    builtins.__import__ = find
    if SYSTEM == "win32":
        _windows_files()


def _ours() -> bool:
    """Whether fontgan asked for it."""
    frame = sys._getframe(1)
    while frame is not None:
        if str(frame.f_globals.get("__package__") or "").partition(".")[0] == "fontgan":
            return True
        frame = frame.f_back
    return False


def _open_no_folder(path, flags, *more, **named):  # type: ignore[no-untyped-def]
    if not isinstance(path, int) and Path(path).is_dir():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return os.open(path, flags, *more, **named)


def _windows_files() -> None:
    rename, replace, unlink, rmdir = os.rename, os.replace, os.unlink, os.rmdir

    def full(path, folder):  # type: ignore[no-untyped-def]
        path = os.fsdecode(path)
        base = os.readlink(f"/proc/self/fd/{folder}") if folder is not None else os.getcwd()
        return os.path.realpath(os.path.dirname(os.path.join(base, path))) + "/" + os.path.basename(path)

    def refuse_open(*paths: str) -> None:
        if not _ours():
            return
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                there = os.readlink(f"/proc/self/fd/{descriptor}")
            except FileNotFoundError:
                continue  # that of the listing itself
            for path in paths:
                if there == path or there.startswith(path + "/"):
                    raise PermissionError(errno.EACCES, f"used by this process, as {there}", path)

    def windows_rename(src, dst, *, src_dir_fd=None, dst_dir_fd=None):  # type: ignore[no-untyped-def]
        if _ours() and os.path.lexists(full(dst, dst_dir_fd)):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(dst))
        refuse_open(full(src, src_dir_fd))
        rename(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def windows_replace(src, dst, *, src_dir_fd=None, dst_dir_fd=None):  # type: ignore[no-untyped-def]
        if _ours() and os.path.isdir(full(dst, dst_dir_fd)):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(dst))
        refuse_open(full(src, src_dir_fd), full(dst, dst_dir_fd))
        replace(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def windows_unlink(path, *, dir_fd=None):  # type: ignore[no-untyped-def]
        refuse_open(full(path, dir_fd))
        unlink(path, dir_fd=dir_fd)

    def windows_rmdir(path, *, dir_fd=None):  # type: ignore[no-untyped-def]
        # shutil itself holds a folder open that it empties, and only on Linux
        rmdir(path, dir_fd=dir_fd)

    os.rename, os.replace, os.unlink, os.remove, os.rmdir = (
        windows_rename, windows_replace, windows_unlink, windows_unlink, windows_rmdir,
    )  # fmt: skip
    sys.addaudithook(_refuse_names)


RESERVED = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?$", re.IGNORECASE)


def _refuse_names(event: str, arguments: tuple[object, ...]) -> None:
    """No file or folder is made whose name Windows refuses."""
    if event == "open":
        path, _, flags = arguments
        if not isinstance(flags, int) or not flags & os.O_CREAT:
            return
    elif event in ("os.mkdir", "os.rename"):
        path = arguments[0 if event == "os.mkdir" else 1]
    else:
        return
    if isinstance(path, int) or not path:
        return
    name = os.path.basename(os.fsdecode(path).rstrip("/"))  # type: ignore[arg-type]
    if name in (".", ".."):
        return
    if (re.search(r'[<>:"\\|?*\x00-\x1f]|[. ]$', name) or RESERVED.match(name)) and _ours():
        raise OSError(errno.EINVAL, f"Windows has no such name: {name!r}", name)


if SYSTEM:
    pretend()
