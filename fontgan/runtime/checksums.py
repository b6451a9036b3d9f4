"""A JSON description that says itself whether it is whole, and which files belong to it.

It tells accidents: bits that flipped, files that were cut off or mixed up. It is no signature: who changes a file on
purpose can change its sum too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fontgan.runtime.files import as_utf8, read_json

SEAL = "sha256"  # of the description without this key


def sealed(content: Mapping[str, Any], *, indent: int | None = 1) -> str:
    """The content as JSON text, with its own sum under ``sha256``."""
    return json.dumps({**content, SEAL: _sum_of(content)}, ensure_ascii=False, indent=indent)


def read_sealed(file: Path, *, unsealed_formats: Collection[int]) -> dict[str, Any]:
    """What ``sealed`` wrote, without its sum.

    Args:
        unsealed_formats: values of ``format`` (1 where there is none) that had no sum; these are given as they are.
    Raises: OSError if it cannot be read; ValueError if it is no JSON object or its sum does not fit.
    """
    content = read_json(file)
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    if SEAL not in content and content.get("format", 1) not in unsealed_formats:
        raise ValueError("its checksum is missing: it was damaged or changed")
    if SEAL in content and content.pop(SEAL) != _sum_of(content):
        raise ValueError("its checksum does not fit: it was damaged or changed")
    return content


def _sum_of(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(as_utf8(text)).hexdigest()


def file_sum(data: bytes) -> dict[str, Any]:
    """What a description says of a file."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
