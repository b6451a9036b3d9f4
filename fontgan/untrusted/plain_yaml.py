"""YAML that anybody may have written, read as plain data: within bounds, and with nothing in it that refers or executes."""

from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf._utils import get_yaml_loader

MAX_BYTES = 4 * 2**20  # a charset of every character there is takes half of one MiB
MAX_NODES = 20_000  # a run's config has 200; each takes a fifth of a millisecond to read
MAX_DEPTH = 32


def read_yaml(file: Path) -> Any:
    """Mappings, lists and values of a YAML file, as OmegaConf reads them.

    Raises: OSError if it cannot be read; ValueError, in one line, if it is no file, no YAML in UTF-8, too large or too
        deep, names a type or a resolver, or repeats itself by reference.
    """
    if not file.is_file():  # to open a pipe would be to wait for whoever writes into it
        raise ValueError("is no file")
    with file.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES // 2**20} MiB")
    try:
        return yaml.load(data.decode("utf-8"), Loader=_PlainLoader)  # descends from the safe one
    except (yaml.YAMLError, OverflowError, TypeError) as error:  # the last two of what YAML allows and Python does not
        usable = "" if isinstance(error, yaml.YAMLError) else " that can be used"
        raise ValueError(f"is not YAML{usable} ({' '.join(str(error).split())[:200].rstrip('.')})") from error


class _PlainLoader(get_yaml_loader()):  # type: ignore[misc]  # it takes numbers as OmegaConf does, and no key twice
    """Stops at the first thing that is out of bounds, before any object is made of what came before."""

    def __init__(self, stream: Any):
        super().__init__(stream)
        self.nodes = self.depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent) or self.peek_event().anchor is not None:
            raise yaml.YAMLError("anchors and aliases are not allowed here")
        self.nodes += 1
        self.depth += 1
        if self.nodes > MAX_NODES or self.depth > MAX_DEPTH:
            raise yaml.YAMLError(f"more than {MAX_NODES} values, or nested deeper than {MAX_DEPTH}")
        node = super().compose_node(parent, index)
        self.depth -= 1
        # Such a text would be replaced by something else, a variable of the environment perhaps.
        if isinstance(node, yaml.ScalarNode) and "${" in node.value:
            raise ValueError("holds an interpolation (${...}), and a saved config is resolved")
        return node
