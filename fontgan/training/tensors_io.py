"""safetensors files: read without executing anything, and looked at before any memory is taken for them.

Format: 8 bytes of length, little-endian; a JSON header with type, shape and place of each tensor, and a
``__metadata__`` of texts; the tensors' bytes one after the other (https://huggingface.co/docs/safetensors).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor


def to_bytes(tensors: Mapping[str, Tensor], texts: dict[str, str] | None = None) -> bytes:
    """Tensors, on any device, as the content of a file; each row by row, whatever its layout in memory was."""
    return save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, texts)


def from_bytes(data: bytes) -> dict[str, Tensor]:
    """Raises: ValueError if these are no such file."""
    try:
        return load(data)
    except (SafetensorError, KeyError) as error:  # KeyError: a type of number that torch has not
        raise ValueError(f"no safetensors file: {error}") from error


def read_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor, none of them read; the library compares them with the length of the file.

    Raises: OSError; ValueError if the file is no such file, or holds less than its header promises.
    """
    try:
        # By its number where the name is not UTF-8, as can be on Linux alone: the library takes none.
        utf8 = not any("\ud800" <= char <= "\udfff" for char in str(file))
        with file.open("rb") as there, safe_open(file if utf8 else f"/dev/fd/{there.fileno()}", "pt") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"no safetensors file: {error}") from error


def nested_to_bytes(value: Any) -> bytes:
    """Dictionaries, lists and tuples of tensors and plain values, such as an optimiser's state, as a file's content.

    The nesting goes into the header as JSON: nothing needs to be unpickled. Raises: TypeError for anything else in it.
    """
    tensors: dict[str, Tensor] = {}

    def flat(value: Any) -> Any:
        if isinstance(value, Tensor):
            tensors[name := str(len(tensors))] = value
            by_channel = not value.is_contiguous() and value.is_contiguous(memory_format=torch.channels_last)
            return {"tensor": name, "channels_last": by_channel}
        if isinstance(value, dict):
            return {"dict": [[key, flat(item)] for key, item in value.items()]}
        if isinstance(value, list | tuple):
            return {type(value).__name__: [flat(item) for item in value]}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise TypeError(f"{type(value).__name__} cannot be saved")

    return to_bytes(tensors, {"structure": json.dumps(flat(value))})


def nested_from_bytes(data: bytes) -> Any:
    """What ``nested_to_bytes`` was given. Raises: ValueError if it is damaged."""
    tensors = from_bytes(data)

    def nested(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "tensor" in value:
            tensor = tensors[value["tensor"]]
            # As it was in memory: an optimiser steps through many tensors at once only where they lie alike.
            return tensor.contiguous(memory_format=torch.channels_last) if value["channels_last"] else tensor
        ((kind, items),) = value.items()
        if kind == "dict":
            return {key: nested(item) for key, item in items}
        return {"list": list, "tuple": tuple}[kind](map(nested, items))

    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return nested(json.loads(header["__metadata__"]["structure"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:  # RecursionError is a RuntimeError
        raise ValueError(f"its structure cannot be read ({type(error).__name__})") from error
