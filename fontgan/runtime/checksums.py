"""A JSON description that says itself whether it is whole, and which files belong to it.

It tells accidents: bits that flipped, files that were cut off or mixed up. It is no signature: who changes a file on
purpose can change its sum too.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from fontgan.runtime.files import as_utf8
from fontgan.untrusted.plain_json import Count, check_format, read_json

SEAL = "sha256"  # of the description without this key


class FileSum(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``file_sum`` gives."""

    bytes: Count
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


def sealed(content: Mapping[str, Any], *, indent: int | None = 1) -> str:
    """The content as JSON text, with its own sum under ``sha256``."""
    return json.dumps({**content, SEAL: _sum_of(content)}, ensure_ascii=False, indent=indent)


def read_sealed(file: Path, version: int) -> dict[str, Any]:
    """What ``sealed`` wrote, without its sum.

    Raises: OSError if it cannot be read; ValueError if it is no JSON object, its ``format`` is not ``version``, or its sum
        does not fit.
    """
    content = read_json(file)
    check_format(content, version)
    if content.pop(SEAL, None) != _sum_of(content):
        raise ValueError("its checksum is missing or does not fit: it was damaged or changed")
    return dict(content)


def _sum_of(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(as_utf8(text)).hexdigest()


def file_sum(data: bytes) -> dict[str, Any]:
    """What a description says of a file."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
