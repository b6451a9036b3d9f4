"""Work for a process of its own that goes wrong in every way; it imports little, as that is done anew each time."""

import os


def spin(data: bytes) -> bytes:
    while True:
        pass


def fill(data: bytes) -> bytes:
    return bytes(1 << 30)


def end_by(data: bytes, *, number: int) -> bytes:
    os.kill(os.getpid(), number)
    return data


def stumble(data: bytes) -> bytes:
    raise LookupError("\x1b[2Jnot there\n")


def say(data: bytes) -> bytes:
    print("this is not the answer")
    os.write(1, b"nor is this")
    return data + b"!"
