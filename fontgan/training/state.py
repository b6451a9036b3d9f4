"""Training state: what a training goes on from, saved as checkpoints and restored from them."""

import logging
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from fontgan.data.batches import PairSampler
from fontgan.data.pack_references import style_references
from fontgan.errors import RunError
from fontgan.runtime import distributed
from fontgan.runtime.accelerator import random_states, restore_random_states
from fontgan.training import checkpoint as checkpoints
from fontgan.training.evaluator import Scores
from fontgan.training.monitor import Diverged, TrainingMonitor
from fontgan.training.run_json import MonitorState
from fontgan.training.step import TrainStep
from fontgan.untrusted.plain_json import convert

log = logging.getLogger(__name__)

PROTOTYPE_GLYPHS = 64  # of each style, where styles are read off references


@dataclass(eq=False)
class TrainingState:
    """Networks, optimisers, random numbers, step and time of one training, and the checkpoints of its run."""

    run: Path
    train_step: TrainStep
    sampler: PairSampler  # gives the pack and the seed; its place in the data follows from the step
    _: KW_ONLY
    device: torch.device
    metadata: dict[str, Any]  # what each checkpoint says of itself besides step, time, scores and health
    config_yaml: str  # the resolved config, written into each checkpoint

    def __post_init__(self) -> None:
        both = {"g": self.train_step.optimiser_g, "d": self.train_step.optimiser_d}
        self.optimisers = {name: optimiser for name, optimiser in both.items() if optimiser is not None}
        self.full_rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in self.optimisers.items()}
        self.monitor = TrainingMonitor(self.train_step.objective, discriminator_lr=self.full_rates.get("d", 0.0))
        self.step = 0
        self.minutes = 0.0  # spent training, over all starts of the run
        self.rollbacks: list[dict[str, Any]] = []  # of the run so far: step, back_to, reason, rate
        self.scored: tuple[int, Scores] = (-1, {})  # a step, and its held-out scores
        self._saved_step = -1
        self._prototypes_step = -1  # at which the styles' prototypes were made

    @property
    def rate_left(self) -> float:
        """Share of the scheduled learning rate, which halves at each rollback."""
        return 0.5 ** len(self.rollbacks)

    def set_rates(self, share: float) -> None:
        """Sets the learning rates to a share of the full ones, less what rollbacks took away."""
        for name, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = self.full_rates[name] * (share * self.rate_left)

    def refresh_prototypes(self) -> None:
        """Where the style is read off references: gives the averaged generator the prototype of each style trained on.

        They follow its weights, so they are made anew wherever it is about to be looked at or saved; training itself
        never sees them. A style of an earlier training keeps the one it has.
        """
        reader = self.train_step.generator_ema.reference_style
        if reader is None or self._prototypes_step == self.step:
            return
        was_training, pack = reader.training, self.sampler.pack
        reader.eval()
        for style in pack.styles:
            references = style_references(pack, style, PROTOTYPE_GLYPHS)
            reader.set_prototype(pack.model_styles.index(style), references.to(self.device))
        reader.train(was_training)
        self._prototypes_step = self.step

    def _networks(self) -> dict[str, nn.Module]:
        """By the name of their file."""
        networks: dict[str, nn.Module] = {"generator": self.train_step.generator_ema}
        if self.train_step.ema_decay:
            networks["generator_training"] = self.train_step.generator
        if self.train_step.discriminator is not None:
            networks["discriminator"] = self.train_step.discriminator
        return networks

    def save(self, *, again: bool = False) -> None:
        """Writes a checkpoint of this step, unless it has been written; with ``again`` even then.

        The main process does; the others wait, so that none of them can be ahead of what is on the disk.

        Raises: Diverged if a weight is not finite, in all processes alike; OSError if it cannot be written.
        """
        if self.step == self._saved_step and not again:
            return
        self.refresh_prototypes()
        networks = self._networks()
        training: dict[str, Any] = {
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "random": distributed.all_gather(random_states(self.device)),  # where each one's dropout stands
        }
        if scalers := self.train_step.scalers:
            training["scalers"] = {name: scaler.state_dict() for name, scaler in scalers.items()}
        metadata = {
            "minutes": self.minutes,
            "scores": self.scored[1] if self.scored[0] == self.step else {},
            "health": msgspec.to_builtins(self.monitor.state),
            "rollbacks": self.rollbacks,
            **self.metadata,
        }
        for name, network in networks.items():  # all of them, as batch norm has seen other glyphs in each process
            finite = [t.isfinite().all() for t in network.state_dict().values() if t.is_floating_point()]
            if any(distributed.all_reduce_max([float(not torch.stack(finite).all())])):
                good_until = self.monitor.good_until(self.step)
                raise Diverged(self.step, f"a weight of {name} is not finite", good_until=good_until)
        with distributed.main_first():
            if distributed.is_main():
                checkpoints.save(
                    self.run, self.step, metadata, config_yaml=self.config_yaml, networks=networks, training=training
                )
        self._saved_step = self.step

    def resume(self, saved: checkpoints.Checkpoint) -> None:
        """Goes back to where a checkpoint stands. Raises: RunError if it is damaged or does not fit."""
        for name, network in self._networks().items():
            saved.load_network(network, name)
        state = saved.training_state()
        try:
            for name, optimiser in self.optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            self._restore_scalers(state.get("scalers", {}))
            self._restore_random(state["random"], saved.step)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise RunError(
                f"{saved.folder}: its training state does not fit this run ({type(error).__name__}: {error})."
            ) from error
        self.minutes = float(saved.metadata["minutes"])
        self.monitor.state = convert(saved.metadata.get("health", {}), MonitorState)
        self.rollbacks = saved.metadata.get("rollbacks", [])
        self.step = self._saved_step = saved.step
        self.scored = (saved.step, saved.metadata["scores"])
        self._prototypes_step = -1

    def _restore_scalers(self, states: dict[str, Any]) -> None:
        """What was saved in another precision has none; they find their scales again within a few steps."""
        for name, scaler in self.train_step.scalers.items():
            if name in states:
                scaler.load_state_dict(states[name])

    def _restore_random(self, states: list[dict[str, Any]], step: int) -> None:
        before, now = len(states), distributed.world_size()
        if before != now:
            log.info("processes: %d -> %d since it was saved; dropout goes on with other random numbers", before, now)
            distributed.own_random_stream(self.sampler.seed, step)
            return
        restore_random_states(states[distributed.rank()], self.device)
