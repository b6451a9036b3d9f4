"""Training state: what a training goes on from, saved as checkpoints and restored from them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fontgan.data.batches import PairSampler
from fontgan.data.references import style_references
from fontgan.errors import RunError
from fontgan.runtime.distributed import (
    all_gather,
    all_reduce_max,
    is_main,
    main_first,
    own_random_stream,
    rank,
    world_size,
)
from fontgan.training import checkpoint as checkpoints
from fontgan.training.evaluator import Scores
from fontgan.training.monitor import Diverged, TrainingMonitor
from fontgan.training.step import TrainStep

log = logging.getLogger(__name__)

PROTOTYPE_GLYPHS = 64  # of each style, where styles are read off references


class TrainingState:
    """Networks, optimisers, random numbers, step and time of one training, and the checkpoints of its run.

    Args:
        run: the run's folder.
        sampler: gives the pack and the seed; its place in the data follows from the step.
        metadata: what each checkpoint says of itself besides step, time, scores and health.
        config_yaml: the resolved config, written into each checkpoint.
    """

    def __init__(
        self,
        run: Path,
        train_step: TrainStep,
        sampler: PairSampler,
        *,
        device: torch.device,
        metadata: dict[str, Any],
        config_yaml: str,
    ):
        self.run = run
        self.train_step = train_step
        self.sampler = sampler
        self.device = device
        self.metadata = metadata
        self.config_yaml = config_yaml
        self.optimisers = {
            name: optimiser
            for name, optimiser in (("g", train_step.optimiser_g), ("d", train_step.optimiser_d))
            if optimiser is not None
        }
        self.full_rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in self.optimisers.items()}
        self.monitor = TrainingMonitor(train_step.objective, discriminator_lr=self.full_rates.get("d", 0.0))
        self.step = 0
        self.minutes = 0.0  # spent training, over all starts of the run
        self.rollbacks: list[dict[str, Any]] = []  # of the run so far: step, back_to, reason, rate
        self._scored: tuple[int, Scores] = (-1, {})
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

    def scored(self, scores: Scores) -> None:
        """Keeps the held-out scores of this step for its checkpoint."""
        self._scored = (self.step, scores)

    def refresh_prototypes(self) -> None:
        """Where the style is read off references: gives the averaged generator the prototype of each style trained on.

        They follow its weights, so they are made anew wherever it is about to be looked at or saved; training
        itself reads references alone and never sees them. A style of an earlier training keeps the one it has.
        """
        reader = self.train_step.generator_ema.reference_style
        if reader is None or self._prototypes_step == self.step:
            return
        was_training = reader.training
        reader.eval()
        pack = self.sampler.pack
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
        """Writes a checkpoint of this step, unless it has been written.

        The main process does; the others wait, so that none of them can be ahead of what is on the disk.

        Args:
            again: writes it although there is one of this step.
        Raises: Diverged if a weight is not finite, in all processes alike; OSError if it cannot be written. The older
            checkpoints stand.
        """
        if self.step == self._saved_step and not again:
            return
        self.refresh_prototypes()
        networks = self._networks()
        training = {
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "random": all_gather(self._random_state()),
        }
        scored_step, scores = self._scored
        metadata = {
            "minutes": self.minutes,
            "scores": scores if scored_step == self.step else {},
            "health": self.monitor.state(),
            "rollbacks": self.rollbacks,
            **self.metadata,
        }
        self._check_weights(networks)
        with main_first():
            if is_main():
                checkpoints.save(
                    self.run,
                    step=self.step,
                    metadata=metadata,
                    config_yaml=self.config_yaml,
                    networks=networks,
                    training=training,
                )
        self._saved_step = self.step

    def _check_weights(self, networks: dict[str, nn.Module]) -> None:
        """Raises: Diverged, in all processes alike: batch norm has seen other glyphs in each."""
        for name, network in networks.items():
            finite = [t.isfinite().all() for t in network.state_dict().values() if t.is_floating_point()]
            if any(all_reduce_max([float(not torch.stack(finite).all())])):
                raise Diverged(
                    self.step, f"a weight of {name} is not finite", good_until=self.monitor.good_until(self.step)
                )

    def _random_state(self) -> dict[str, Any]:
        """Of this process: where its dropout stands."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {"cpu": torch.get_rng_state(), "cuda": cuda}

    def resume(self, saved: checkpoints.Checkpoint) -> None:
        """Goes back to where a checkpoint stands. Raises: RunError if it is damaged or does not fit."""
        for name, network in self._networks().items():
            saved.load_network(network, name)
        state = saved.training_state()
        try:
            for name, optimiser in self.optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            self._restore_random(state["random"], saved.step)
            self.minutes = float(saved.metadata["minutes"])
            self.monitor.restore(saved.metadata.get("health", {}))
            self.rollbacks = saved.metadata.get("rollbacks", [])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise RunError(
                f"{saved.folder}: its training state does not fit this run ({type(error).__name__}: {error})."
            ) from error
        self.step = self._saved_step = saved.step
        self._scored = (saved.step, saved.metadata.get("scores", {}))
        self._prototypes_step = -1

    def _restore_random(self, states: list[dict[str, Any]], step: int) -> None:
        if len(states) != world_size():
            log.info(
                "processes: %d -> %d since the run was saved; dropout goes on with other random numbers",
                len(states),
                world_size(),
            )
            own_random_stream(self.sampler.seed, step)
            return
        state = states[rank()]
        torch.set_rng_state(state["cpu"])
        if state["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self.device)
