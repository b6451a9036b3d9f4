"""JSON that anybody may have written, read as the types and ranges that a ``msgspec.Struct`` names.

What several fields must have in common is checked by its ``__post_init__``, which raises ValueError.
"""

import json
import re
import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from fontgan.errors import one_line

T = TypeVar("T")

MAX_BYTES = 256 * 2**20  # of the index of a million glyphs, several times over

Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
Count = Annotated[int, Meta(ge=0, lt=10**15)]
Share = Annotated[float, Meta(ge=0, le=1)]
Char = Annotated[str, Meta(min_length=1, max_length=1)]
# Text that can be shown and written; the halves of a pair are left over from a name that is no UTF-8.
Text = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f-\x9f\ud800-\udfff]*\Z")]
# One name in a folder, which leads nowhere else.
FileName = Annotated[str, Meta(pattern=r"^(?!\.{1,2}\Z)[^/\\\x00-\x1f\x7f\ud800-\udbff]+\Z")]


def read_json(file: Path, most_bytes: int = MAX_BYTES) -> Any:
    """Reads a JSON file that a stranger may have made.

    Raises: OSError if it cannot be read; ValueError if it is no file, too large, no UTF-8, no JSON, or nested too deeply.
    """
    if file.exists() and not file.is_file():
        raise ValueError("no file")  # to read from a pipe would be to wait
    with file.open("rb") as stream:
        data = stream.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(f"larger than {most_bytes // 2**20} MiB")
    try:
        return json.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def convert(content: Any, kind: type[T], *, version: int | None = None) -> T:
    """JSON as read -> a ``msgspec.Struct``.

    ``json`` reads it before, as ``msgspec`` takes no file name that is not UTF-8, which JSON of ours may hold as escapes.

    Raises: ValueError, in one line: where in it, and what is needed there; also if its ``format`` is not ``version``.
    """
    if version is not None:
        check_format(content, version)
    try:
        return msgspec.convert(content, kind)
    except (msgspec.ValidationError, UnicodeError, RecursionError) as error:
        rule, _, where = str(error).partition(" - at ")
        rule = re.sub(r"`str` matching regex.*", "text without characters that cannot stand there", rule)
        place = re.sub(r"[`$]", "", where).lstrip(".")
        raise ValueError(one_line(f"{place[:80]}: {rule[:200]}".removeprefix(": "))) from error


def check_format(content: Any, version: int) -> None:
    """Raises: ValueError, which names both numbers, for what is of another format."""
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    written = content.get("format")
    if type(written) is not int or written != version:
        raise ValueError(f"has format {str(written)[:20]}, and this version reads {version}")
