"""What of a checkpoint goes out: what draws and what a training starts from, and no path of this machine.

Left behind: the optimisers, the discriminator and the weights without averaging, which nobody but a resumed training reads, and it
needs the very fonts; findings and health, which speak of this machine's files; loggers, which name accounts and servers.
"""

import re
from typing import Any

from omegaconf import OmegaConf

from fontgan.base import BASE
from fontgan.config.saved import load_config
from fontgan.data.charset import names_file
from fontgan.hub.names import is_on_hub
from fontgan.hub.pull import WEIGHTS
from fontgan.report.collect import read_history
from fontgan.runtime.checksums import file_sum, sealed
from fontgan.runtime.files import as_utf8
from fontgan.training.checkpoint import Checkpoint
from fontgan.training.run_json import FORMAT

_KEPT = ("minutes", "scores", "styles", "pack", "made_with", "init_from")  # of run.json
_NAMED = ("asset:", "shelf:", "hf://")  # what every machine has under the same name


def public_files(found: Checkpoint, name: str) -> dict[str, bytes]:
    """The files of a checkpoint that draws the same glyphs bit for bit, by name; ``name``: what the run is called."""
    contents = {
        WEIGHTS: found.read(WEIGHTS),
        "config.yaml": as_utf8(OmegaConf.to_yaml(OmegaConf.create(_config(found, name)))),
    }
    told = {key: found.metadata[key] for key in _KEPT if key in found.metadata}
    data = {key: value for key, value in found.metadata["data"].items() if key != "findings"}
    files = {file: file_sum(content) for file, content in contents.items()}
    description = {"format": FORMAT, "step": found.step, **told, "data": data, "files": files}
    return contents | {"run.json": as_utf8(sealed(description))}


def _config(found: Checkpoint, name: str) -> dict[str, Any]:
    config: Any = OmegaConf.to_container(load_config(found.folder / "config.yaml"), resolve=True)
    listed = found.metadata["data"]
    chars = {"charset": listed["held_out"] + listed["trained"], "holdout_chars": listed["held_out"]}
    # What lists characters may hold a / that leads nowhere.
    spoken = {key: chars[key] if names_file(config["data"][key]) else config["data"][key] for key in chars}
    origin = config["init_from"]
    if origin is not None and origin != BASE and not is_on_hub(origin):
        origin = f"runs/{_last_part(origin)}"
    config = _without_paths(config)
    config["data"] |= spoken | {"cache": None, "workers": None}
    return config | {"out": f"runs/{name}", "init_from": origin, "corpus": None, "logger": {}}


def _without_paths(value: Any) -> Any:
    """Of every path its last name: a font is still told by it, and where it lies is nobody's business."""
    if isinstance(value, dict):
        return {key: _without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_paths(item) for item in value]
    return _last_part(value) if isinstance(value, str) and not value.startswith(_NAMED) else value


def _last_part(path: str) -> str:
    return re.split(r"[/\\]+", path.rstrip("/\\"))[-1]


def history(found: Checkpoint) -> list[dict[str, Any]]:
    """The held-out scores of a run up to a checkpoint of it, as ``read_history`` gives them; [] of one that lies alone."""
    if found.folder.parent.name != "checkpoints":
        return []
    return [line for line in read_history(found.folder.parent.parent / "metrics.jsonl") if line["step"] <= found.step]
