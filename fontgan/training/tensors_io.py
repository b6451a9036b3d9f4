"""safetensors files: read without executing anything, and looked at before any memory is taken for them.

Format: 8 bytes of length, little-endian; a JSON header with type, shape and place of each tensor, and a
``__metadata__`` of texts; the tensors' bytes one after the other (https://huggingface.co/docs/safetensors).
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as _load
from safetensors.torch import save as _save
from torch import Tensor

MAX_HEADER_BYTES = 100_000_000  # what the library itself allows


class Header(NamedTuple):
    """What a file says it holds."""

    shapes: dict[str, tuple[int, ...]]
    texts: dict[str, str]


def to_bytes(tensors: Mapping[str, Tensor], texts: Mapping[str, str] | None = None) -> bytes:
    """Tensors, on any device, as the content of a file; each row by row, whatever its layout in memory was."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return _save(plain, dict(texts) if texts else None)


def from_bytes(data: bytes) -> dict[str, Tensor]:
    """Raises: ValueError if these are no such file."""
    try:
        return _load(data)
    except (SafetensorError, KeyError) as error:  # KeyError: a type of number that torch has not
        raise ValueError(f"no safetensors file: {error}") from error


def read_header(file: Path) -> Header:
    """Reads no tensors. Raises: OSError; ValueError if the file is no such file, or holds less than its header promises."""
    with file.open("rb") as stream:
        return _header(stream, file.stat().st_size)


def texts_of(data: bytes) -> dict[str, str]:
    """The texts that ``to_bytes`` was given. Raises: ValueError."""
    return _header(io.BytesIO(data), len(data)).texts


def _header(stream: BinaryIO, size: int) -> Header:
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or length > min(MAX_HEADER_BYTES, size - 8):
        raise ValueError("its header does not fit into it")
    try:
        header = json.loads(stream.read(length).decode("utf-8"))
    except RecursionError as error:
        raise ValueError("its header is nested too deeply") from error
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    texts = header.pop("__metadata__", {})
    if not (isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())):
        raise ValueError("its texts are none")
    return Header({name: _shape(name, entry, size - 8 - length) for name, entry in header.items()}, texts)


def _shape(name: str, entry: Any, room: int) -> tuple[int, ...]:
    """The shape of one tensor, whose bytes must lie within the file."""
    try:
        shape, (start, stop) = tuple(entry["shape"]), entry["data_offsets"]
        whole = all(type(number) is int and number >= 0 for number in (*shape, start, stop))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"its header describes {name[:80]!r} wrongly") from error
    # A number of any type has at least one byte, so a shape can promise no more than its bytes hold.
    if not whole or not start <= stop <= room or math.prod(shape) > stop - start:
        raise ValueError(f"{name[:80]!r} has more in the header than in the file")
    return shape


# -- nested values ------------------------------------------------------------------------------


def nested_to_bytes(value: Any) -> bytes:
    """Dictionaries, lists and tuples of tensors and plain values, such as an optimiser's state, as a file's content.

    The nesting goes into the header as JSON, the tensors beside it: nothing needs to be unpickled.

    Raises: TypeError for anything else in it.
    """
    tensors: dict[str, Tensor] = {}

    def flat(value: Any) -> Any:
        if isinstance(value, Tensor):
            name = str(len(tensors))
            tensors[name] = value
            by_channel = value.dim() == 4 and not value.is_contiguous() and value.is_contiguous(memory_format=_NHWC)
            return {"tensor": name, "channels_last": by_channel}
        if isinstance(value, dict):
            return {"dict": [[key, flat(item)] for key, item in value.items()]}
        if isinstance(value, list | tuple):
            return {type(value).__name__: [flat(item) for item in value]}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(f"{type(value).__name__} cannot be saved")

    structure = json.dumps(flat(value))
    return to_bytes(tensors, {"structure": structure})


def nested_from_bytes(data: bytes) -> Any:
    """What ``nested_to_bytes`` was given. Raises: ValueError if it is damaged."""
    tensors, texts = from_bytes(data), texts_of(data)

    def nested(value: Any) -> Any:
        if isinstance(value, dict):
            if "tensor" in value:
                tensor = tensors[value["tensor"]]
                # As it was in memory: an optimiser steps through many tensors at once only where they lie alike.
                return tensor.contiguous(memory_format=_NHWC) if value["channels_last"] else tensor
            ((kind, items),) = value.items()
            if kind == "dict":
                return {key: nested(item) for key, item in items}
            return {"list": list, "tuple": tuple}[kind](nested(item) for item in items)
        return value

    try:
        return nested(json.loads(texts["structure"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:  # RecursionError is a RuntimeError
        raise ValueError(f"its structure cannot be read ({type(error).__name__})") from error


_NHWC = torch.channels_last
