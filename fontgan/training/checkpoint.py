"""Checkpoints: one self-describing folder each, whole or not there, loaded without executing anything.

``RUN/checkpoints/step-00001000/`` holds

    run.json                        step, training time, scores, style names, glyph transforms, versions; the length
                                    and sha256 of each file below, and its own
    config.yaml                     the resolved config
    generator.safetensors           the averaged generator: what is evaluated and used
    generator_training.safetensors  the generator as the optimiser moves it (absent without averaging)
    discriminator.safetensors       absent without a discriminator
    training.safetensors            optimiser state, each process's random-number state, in fp16 the scales of the losses
                                    (absent in the base that is packaged)
"""

import logging
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fontgan import base
from fontgan.errors import RunError
from fontgan.runtime import linux
from fontgan.runtime.checksums import file_sum, read_sealed, sealed
from fontgan.runtime.files import as_utf8, clear_asides, replace, replace_folder, sync_folder
from fontgan.training import tensors_io
from fontgan.training.run_json import FORMAT, RunJson
from fontgan.untrusted.plain_json import convert
from fontgan.untrusted.plain_yaml import read_yaml

Plain = dict[str, Any]
log = logging.getLogger(__name__)

KEPT = 2  # newest checkpoints that stay, beside the best: the one before is there if the last is damaged
_STEP = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class Checkpoint:
    """Checkpoint on disk: its ``run.json`` was read and checked, its tensors not yet."""

    folder: Path
    step: int
    metadata: Plain  # of the types and ranges of ``run_json.RunJson``

    @property
    def score(self) -> float | None:
        """Mean held-out SSIM less the share of blank glyphs, as a blank page can win by SSIM alone where ink is scarce;
        None where nothing is held out."""
        scores = self.metadata["scores"].values()
        return sum(style["ssim"] - style["blank"] for style in scores) / len(scores) if scores else None

    @property
    def registered(self) -> bool:
        """Whether true glyphs were moved before losses compared them: ``trainer.registration``."""
        found: Any = self._decoded("config.yaml", lambda _: read_yaml(self.folder / "config.yaml"))
        for key in ("trainer", "registration"):
            found = found.get(key) if isinstance(found, dict) else None
        return isinstance(found, dict) and any(found.get(key) for key in ("shift", "bend"))

    def read(self, name: str) -> bytes:
        """The content of one of its files, which is what was saved. Raises: RunError if the file is damaged."""
        return self._decoded(name, bytes)

    def _decoded(self, name: str, decode: Callable[[bytes], Any]) -> Any:
        file = self.folder / name
        try:
            data = file.read_bytes()
            if file_sum(data) != self.metadata["files"].get(name):
                raise ValueError("its checksum does not fit")
            return decode(data)
        except (OSError, ValueError) as error:
            raise _damaged(file, error) from error

    def verify(self) -> None:
        """Raises: RunError if one of its files is not what was saved."""
        for name in self.metadata["files"]:
            self.read(name)

    def shapes(self, name: str) -> dict[str, tuple[int, ...]]:
        """Shape of each tensor of ``<name>.safetensors``, none of them read. Raises: RunError if the file is damaged."""
        file = self.folder / f"{name}.safetensors"
        try:
            return tensors_io.read_shapes(file)
        except (OSError, ValueError) as error:
            raise _damaged(file, error) from error

    def tensors(self, name: str) -> dict[str, Tensor]:
        """What ``<name>.safetensors`` holds. Raises: RunError if the file is damaged."""
        return self._decoded(f"{name}.safetensors", tensors_io.from_bytes)

    def training_state(self) -> Plain:
        """Optimiser and random-number state. Raises: RunError if the file is damaged."""
        return self._decoded("training.safetensors", tensors_io.nested_from_bytes)

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


def _damaged(file: Path, error: Exception | str) -> RunError:
    return RunError(
        f"{file}: is damaged or missing ({error}). {_remedy(file.parent, 'Use another checkpoint of the run')}."
    )


def _remedy(folder: Path, usual: str) -> str:
    return "Install fontgan anew" if folder == base.FOLDER else usual


def save(
    run: Path, step: int, metadata: Plain, *, config_yaml: str, networks: dict[str, nn.Module], training: Plain
) -> Checkpoint:
    """Writes a checkpoint aside and renames it, reads it back, then removes all but the newest two and the best.

    Raises: OSError if it cannot be written, RunError if it reads back otherwise; the older ones stand untouched.
    """
    parent = run / "checkpoints"
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / f"step-{step:08d}"
    aside = Path(tempfile.mkdtemp(prefix=".step-", dir=parent))
    try:
        aside.chmod(0o755)
        files = {}

        def write(name: str, data: bytes) -> None:
            with (aside / name).open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
                linux.start_writing(
                    stream.fileno()
                )  # what is read back to verify it comes from the disk, not from memory
            files[name] = file_sum(data)

        for name, network in networks.items():
            write(f"{name}.safetensors", tensors_io.to_bytes(network.state_dict()))
        write("training.safetensors", tensors_io.nested_to_bytes(training))
        write("config.yaml", as_utf8(config_yaml))
        write("run.json", as_utf8(sealed({"format": FORMAT, "step": step, **metadata, "files": files})))
        sync_folder(aside)
        replace_folder(aside, folder)  # one of the same step was found damaged since, or rolled back beyond
        sync_folder(parent)
    finally:
        shutil.rmtree(aside, ignore_errors=True)  # or what had its name before
    saved = open_checkpoint(folder)
    saved.verify()
    _remove_others(run, saved)
    for folder in _look_through(run)[1]:
        _remove(folder)  # damaged, and of no use any more
    return saved


def _remove_others(run: Path, verified: Checkpoint) -> None:
    """Removes the checkpoints that a verified one makes superfluous."""
    whole, _ = _look_through(run)
    kept = {checkpoint.folder for checkpoint in (*whole[-KEPT:], verified, best(whole))}
    for checkpoint in whole:
        if checkpoint.folder not in kept:
            _remove(checkpoint.folder)


def _remove(folder: Path) -> None:
    """Takes its name away first: who is killed while removing it leaves nothing that looks like a damaged checkpoint."""
    aside = Path(tempfile.mkdtemp(prefix=".step-", dir=folder.parent))
    replace(folder, aside / folder.name)
    shutil.rmtree(aside)


def drop_after(run: Path, step: int) -> None:
    """Removes the checkpoints of later steps, which a run that goes back to ``step`` makes anew."""
    for checkpoint in all_checkpoints(run):
        if checkpoint.step > step:
            _remove(checkpoint.folder)


def clear_leftovers(run: Path, newest: Checkpoint | None) -> None:
    """Removes what a killed process left half-written or had no time to remove, given the newest intact checkpoint;
    call it while holding the run's lock."""
    if newest is not None:
        _remove_others(run, newest)
    for folder in (run / "checkpoints").glob(".step-*"):
        shutil.rmtree(folder, ignore_errors=True)
    clear_asides(run)
    clear_asides(run / "sheets")


def all_checkpoints(run: Path) -> list[Checkpoint]:
    """The checkpoints of a run whose description and lengths of files are whole, oldest first; damaged ones are named
    in the log and passed over. Raises: RunError if all of them are damaged."""
    whole, damaged = _look_through(run)
    for error in damaged.values():
        log.warning("%s", error)
    if damaged and not whole:
        raise next(iter(damaged.values()))
    return whole


def newest_intact(run: Path, before: float = math.inf) -> Checkpoint | None:
    """The newest checkpoint of a step ``before`` that whose every file is what was saved, None if there is none at all;
    damaged ones are named in the log and passed over. Raises: RunError if all of them are damaged."""
    first: RunError | None = None
    for checkpoint in reversed([there for there in all_checkpoints(run) if there.step < before]):
        try:
            checkpoint.verify()
            return checkpoint
        except RunError as error:
            log.warning("%s", error)
            first = first or error
    if first is not None:
        raise RunError(
            f"{run / 'checkpoints'}: every checkpoint there is damaged ({first}) "
            "Bring one back from a copy, or remove that folder to start anew."
        )
    return None


def _look_through(run: Path) -> tuple[list[Checkpoint], dict[Path, RunError]]:
    """The checkpoints of a run that look whole, oldest first; and what is wrong with each of the others."""
    whole: list[Checkpoint] = []
    damaged: dict[Path, RunError] = {}
    for folder in sorted((run / "checkpoints").glob("step-*")):
        if _STEP.fullmatch(folder.name) and folder.is_dir():
            try:
                whole.append(open_checkpoint(folder))
            except RunError as error:
                damaged[folder] = error
    return sorted(whole, key=lambda checkpoint: checkpoint.step), damaged


def best(checkpoints: list[Checkpoint]) -> Checkpoint:
    """The one of the highest score; the newest where nothing is held out, and where true glyphs were moved to where they
    are drawn: scores, which compare in place, then prefer the blur of early steps."""
    newest = max(checkpoints, key=lambda c: c.step)
    if newest.registered:
        return newest
    return max(checkpoints, key=lambda c: (c.score if c.score is not None else -1.0, c.step))


def open_checkpoint(folder: Path) -> Checkpoint:
    """Raises: RunError if there is no checkpoint, a file is missing or cut off, or the format is not known here."""
    try:
        metadata = read_sealed(folder / "run.json", FORMAT)
        convert(metadata, RunJson)
    except (OSError, ValueError) as error:
        reason = str(error) if isinstance(error, ValueError) else type(error).__name__
        remedy = _remedy(folder, "Give a run's folder")
        text = f"{folder}: is not a checkpoint, or damaged (run.json: {reason}). {remedy}."
        raise RunError(text) from error
    for name, listed in metadata["files"].items():
        file = folder / name
        if not file.is_file():
            raise _damaged(file, "no such file")
        if (there := file.stat().st_size) != listed["bytes"]:
            raise _damaged(file, f"{there} bytes, {listed['bytes']} were saved")
    checkpoint = Checkpoint(folder, metadata["step"], metadata)
    checkpoint.read("config.yaml")  # others than this class read the config, so it is looked into at once
    return checkpoint


def find(path: Path, which: str, key: str = "checkpoint") -> Checkpoint:
    """The checkpoint that the setting ``key`` names: one folder, or the best or last of a run. Raises: RunError."""
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
