"""Checkpoints: one self-describing folder each, whole or not there, loaded without executing anything.

``RUN/checkpoints/step-00001000/`` holds

    run.json                        step, training time, scores, style names, glyph transforms, versions
    config.yaml                     the resolved config
    generator.safetensors           the averaged generator: what is evaluated and used
    generator_training.safetensors  the generator as the optimiser moves it (absent without averaging)
    discriminator.safetensors       absent without a discriminator
    training.pt                     optimiser state, each process's random-number state; read with weights_only=True
"""

from __future__ import annotations

import io
import json
import logging
import os
import pickle
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from fontgan.errors import RunError

log = logging.getLogger(__name__)

FORMAT = 1
_STEP = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk, its description read, its tensors not yet."""

    folder: Path
    step: int
    facts: dict[str, Any]  # run.json

    @property
    def score(self) -> float | None:
        """Mean held-out SSIM less the share of blank glyphs, or None where nothing is held out.

        The blank share, because where ink is scarce a blank page can win by SSIM alone.
        """
        scores = self.facts.get("scores")
        if not scores:
            return None
        return sum(style["ssim"] - style["blank"] for style in scores.values()) / len(scores)

    def tensors(self, name: str) -> dict[str, Tensor]:
        """What ``<name>.safetensors`` holds. Raises: RunError if the file is damaged."""
        file = self.folder / f"{name}.safetensors"
        try:
            return load_safetensors(file.read_bytes())
        except (OSError, SafetensorError) as error:
            raise RunError(f"{file}: cannot be read ({error}). Use another checkpoint of the run.") from error

    def load_network(self, network: nn.Module, name: str) -> None:
        """Fills a network from ``<name>.safetensors``. Raises: RunError if the file is damaged or does not fit."""
        tensors = self.tensors(name)
        try:
            network.load_state_dict(tensors, strict=True)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise RunError(
                f"{self.folder / f'{name}.safetensors'}: was made by another architecture than its config names ({reason}). "
                "Use the config.yaml that was saved with it."
            ) from error

    def has(self, name: str) -> bool:
        return (self.folder / f"{name}.safetensors").is_file()

    def training_state(self) -> dict[str, Any]:
        """Raises: RunError if the file is damaged or would execute code."""
        file = self.folder / "training.pt"
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
            raise RunError(f"{file}: cannot be read ({str(error).splitlines()[0]}).") from error


def save(
    run: Path,
    *,
    step: int,
    facts: dict[str, Any],
    config_yaml: str,
    networks: dict[str, nn.Module],
    training: dict[str, Any],
) -> Checkpoint:
    """Writes a checkpoint aside and renames it, then removes all but the newest and the best.

    Raises: OSError if it cannot be written; the older ones stand untouched.
    """
    parent = run / "checkpoints"
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"step-{step:08d}"
    aside = Path(tempfile.mkdtemp(prefix=".step-", dir=parent))
    try:
        aside.chmod(0o755)
        for name, network in networks.items():
            _write(aside / f"{name}.safetensors", save_safetensors(_plain_tensors(network)))
        buffer = io.BytesIO()
        torch.save(training, buffer)
        _write(aside / "training.pt", buffer.getvalue())
        _write(aside / "config.yaml", config_yaml.encode())
        description = {"format": FORMAT, "step": step, **facts}
        _write(aside / "run.json", json.dumps(description, ensure_ascii=False, indent=1).encode())
        if folder.is_dir():
            # The same step saved before: moved aside, so that at no moment there is no checkpoint.
            before = aside.with_name(f"{aside.name}-before")
            folder.rename(before)
            aside.rename(folder)
            shutil.rmtree(before)
        else:
            aside.rename(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    saved = Checkpoint(folder, step, description)
    kept = {saved.folder, best(all_checkpoints(run)).folder}
    for old in all_checkpoints(run):
        if old.folder not in kept:
            shutil.rmtree(old.folder)
    return saved


def clear_leftovers(run: Path) -> None:
    """Removes half-written checkpoints that a killed process left; call it while holding the run's lock."""
    for folder in (run / "checkpoints").glob(".step-*"):
        shutil.rmtree(folder, ignore_errors=True)


def all_checkpoints(run: Path) -> list[Checkpoint]:
    """The whole checkpoints of a run, oldest first; damaged ones are named in the log and passed over.

    Raises: RunError if all of them are damaged.
    """
    found: list[Checkpoint] = []
    damaged: list[RunError] = []
    for folder in sorted((run / "checkpoints").glob("step-*")):
        if not _STEP.fullmatch(folder.name) or not folder.is_dir():
            continue
        try:
            found.append(open_checkpoint(folder))
        except RunError as error:
            damaged.append(error)
            log.warning("%s", error)
    if damaged and not found:
        raise damaged[0]
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def best(checkpoints: list[Checkpoint]) -> Checkpoint:
    """The one of the highest score; the newest where nothing is held out."""
    return max(checkpoints, key=lambda c: (c.score if c.score is not None else -1.0, c.step))


def open_checkpoint(folder: Path) -> Checkpoint:
    """Raises: RunError if there is no checkpoint, or of a format that this version does not know."""
    file = folder / "run.json"
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        step = int(facts["step"])
        known = facts["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{folder}: is not a checkpoint ({type(error).__name__} in run.json). Give a run's folder."
        ) from error
    if known != FORMAT:
        raise RunError(f"{folder}: has format {known}, and this version reads {FORMAT}. Use a matching fontgan.")
    return Checkpoint(folder, step, facts)


def find(path: Path, which: str, key: str = "checkpoint") -> Checkpoint:
    """The checkpoint a user names: one folder, or the best or last of a run.

    Args:
        key: the setting that names it, for messages.
    Raises: RunError if there is none.
    """
    if which not in ("best", "last"):
        raise RunError(f"which={which}: choose best or last.")
    if not path.is_dir():
        raise RunError(f"{key}={path}: no such folder. Give a run's folder, such as runs/quickstart.")
    if (path / "run.json").is_file():
        return open_checkpoint(path)
    there = all_checkpoints(path)
    if not there:
        raise RunError(f"{key}={path}: holds no checkpoint yet. Train first: fontgan train out={path}.")
    return best(there) if which == "best" else there[-1]


def _plain_tensors(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
