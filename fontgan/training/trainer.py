"""The training loop: steps, schedule, logs, checkpoints, and stopping without losing anything."""

from __future__ import annotations

import logging
import math
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from fontgan.data.batches import PairSampler
from fontgan.data.references import style_references
from fontgan.errors import RunError
from fontgan.training import checkpoint as checkpoints
from fontgan.training.step import TrainStep
from fontgan.training.track import Scores, Tracker, say_scores

log = logging.getLogger(__name__)

FINISHED, STOPPED = "finished", "stopped"
PROTOTYPE_GLYPHS = 64  # of each style, where styles are read off references


@dataclass(frozen=True)
class Schedule:
    """When the run ends, and the learning rate on the way: linear warm-up, then a cosine.

    Args:
        max_steps, max_minutes: the run ends at whichever comes first; the cosine follows whichever is nearer
            its end, so that it always arrives.
        final_share: share of the full rate that is left at the end.
    """

    max_steps: int
    max_minutes: float | None
    warmup_steps: int
    final_share: float

    def progress(self, step: int, minutes: float) -> float:
        """Share of the training done, 0 to 1."""
        by_time = minutes / self.max_minutes if self.max_minutes else 0.0
        return min(1.0, max(step / self.max_steps, by_time))

    def rate(self, step: int, minutes: float) -> float:
        """Share of the full learning rate for the step after ``step``."""
        warm = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        cosine = 0.5 * (1 + math.cos(math.pi * self.progress(step, minutes)))
        return warm * (self.final_share + (1 - self.final_share) * cosine)


@dataclass(frozen=True)
class Cadence:
    """How often, in steps."""

    log: int
    evaluate: int
    save: int


class Trainer:
    """Runs a ``TrainStep`` over a ``PairSampler`` until the schedule, a signal or ``stop_at`` ends it.

    Args:
        facts: what each checkpoint says of itself besides step, time and scores.
        config_yaml: the resolved config, written into each checkpoint.
    """

    def __init__(
        self,
        run: Path,
        train_step: TrainStep,
        sampler: PairSampler,
        *,
        tracker: Tracker,
        schedule: Schedule,
        cadence: Cadence,
        accumulate: int,
        device: torch.device,
        stop_at: int | None,
        facts: dict[str, Any],
        config_yaml: str,
    ):
        self.run = run
        self.train_step = train_step
        self.sampler = sampler
        self.tracker = tracker
        self.schedule = schedule
        self.cadence = cadence
        self.accumulate = accumulate
        self.device = device
        self.stop_at = stop_at
        self.facts = facts
        self.config_yaml = config_yaml
        self.step = 0
        self.minutes = 0.0  # spent training, over all starts of the run
        self._optimisers = {
            name: optimiser
            for name, optimiser in (("g", train_step.optimiser_g), ("d", train_step.optimiser_d))
            if optimiser is not None
        }
        self._full_rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in self._optimisers.items()}
        self._signal: int | None = None
        self._baselines: dict[str, Scores] = {}
        self._scored: tuple[int, Scores] = (-1, {})
        self._saved_step = -1
        self._remembered_step = -1  # at which step the styles' prototypes were made
        self._started = (0.0, 0)  # when this start of the run began stepping, and at which step
        self._last_log = (0.0, 0)  # when, and at which step

    # -- the loop -------------------------------------------------------------------------------

    def fit(self) -> str:
        """Trains to the end. Returns: FINISHED, or STOPPED if a signal or ``stop_at`` came first.

        Raises: RunError if a loss is not finite; OSError if the run's folder cannot be written.
        """
        if self.step == 0:
            self._remember_styles()
            self.tracker.sheet(0)
        self._baselines = self.tracker.baselines()
        unchecked: tuple[dict[str, Tensor], list[str]] | None = None
        started, minutes_before = time.monotonic(), self.minutes
        self._last_log = self._started = started, self.step
        fontgan_log = [logging.getLogger("fontgan")]
        with self._signals(), logging_redirect_tqdm(fontgan_log), self._progress_bar() as bar:
            while not self._done() and self._signal is None and not self._stop_asked():
                first = self.step * self.accumulate
                batches = [self.sampler.batch(first + i).to(self.device) for i in range(self.accumulate)]
                self._set_rates()
                report = self.train_step(batches, self.schedule.progress(self.step, self.minutes), self.step)
                # Looked at one step later: reading it at once would make the GPU wait for every step.
                if unchecked:
                    self._check_finite(self.step, *unchecked)
                unchecked = report, [name for batch in batches for name in batch.names]
                self.step += 1
                self.minutes = minutes_before + (time.monotonic() - started) / 60
                bar.update()
                if self._due(self.cadence.log):
                    self._check_finite(self.step, *unchecked)
                    self._log(report, bar)
                evaluate = self._due(self.cadence.evaluate) or self._done()
                if evaluate:
                    self._check_finite(self.step, *unchecked)
                    self._evaluate()
                # What was scored is saved too: it may be the best.
                if evaluate or self._due(self.cadence.save):
                    self._check_finite(self.step, *unchecked)
                    self.save()
            if unchecked:
                self._check_finite(self.step, *unchecked)
            self.save()
        return FINISHED if self._done() else STOPPED

    @property
    def stopped_by(self) -> int | None:
        """The signal that ended the run, or None."""
        return self._signal

    def _done(self) -> bool:
        return self.schedule.progress(self.step, self.minutes) >= 1

    def _stop_asked(self) -> bool:
        return self.stop_at is not None and self.step >= self.stop_at

    def _due(self, every: int) -> bool:
        return self.step % every == 0

    def _set_rates(self) -> None:
        share = self.schedule.rate(self.step, self.minutes)
        for name, optimiser in self._optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = self._full_rates[name] * share

    def _check_finite(self, step: int, report: dict[str, Tensor], names: list[str]) -> None:
        values = {name: float(value) for name, value in report.items()}
        if all(math.isfinite(value) for value in values.values()):
            return
        shown = ", ".join(f"{name}={value:g}" for name, value in values.items())
        raise RunError(f"step {step}: a loss is not finite ({shown}) on {' '.join(names)}; {self._what_stands()}")

    def _what_stands(self) -> str:
        there = checkpoints.all_checkpoints(self.run)
        last = f"the checkpoint of step {there[-1].step} stands" if there else "there is no checkpoint yet"
        return (
            f"{last}. Lower optim.lr, set trainer.grad_clip=1 or trainer.precision=fp32, "
            "and start again in another out=."
        )

    # -- what is left behind --------------------------------------------------------------------

    def _log(self, report: dict[str, Tensor], bar: tqdm[Any]) -> None:
        values = {name: float(value) for name, value in report.items()}
        self.tracker.scalars(self.step, {f"loss/{name}": value for name, value in values.items()})
        self.tracker.scalars(self.step, {f"lr/{name}": o.param_groups[0]["lr"] for name, o in self._optimisers.items()})
        now = time.monotonic()
        then, step_then = self._last_log
        self._last_log = now, self.step
        glyphs = (self.step - step_then) * self.sampler.batch_size * self.accumulate / max(now - then, 1e-9)
        self.tracker.scalars(self.step, {"speed/glyphs_per_second": glyphs})
        losses = " ".join(f"{name} {value:.3f}" for name, value in values.items())
        bar.total = self._expected_steps(now)
        bar.set_postfix_str(f"{glyphs:.0f} glyphs/s {losses}", refresh=False)

    def _expected_steps(self, now: float) -> int:
        """Where the run will end at the present pace, for the time left."""
        if not self.schedule.max_minutes:
            return self.schedule.max_steps
        started, first_step = self._started
        seconds_a_step = (now - started) / max(1, self.step - first_step)
        seconds_left = 60 * (self.schedule.max_minutes - self.minutes)
        return min(self.schedule.max_steps, self.step + math.ceil(max(0.0, seconds_left) / seconds_a_step))

    def _remember_styles(self) -> None:
        """Where the style is read off references: gives the averaged generator the prototype of each style trained on.

        They follow its weights, so they are made anew wherever it is about to be looked at or saved; training
        itself reads references alone and never sees them. A style of an earlier training keeps the one it has.
        """
        reader = self.train_step.averaged.reference_style
        if reader is None or self._remembered_step == self.step:
            return
        was_training = reader.training
        reader.eval()
        pack = self.sampler.pack
        for style in pack.styles:
            references = style_references(pack, style, PROTOTYPE_GLYPHS)
            reader.remember(pack.model_styles.index(style), references.to(self.device))
        reader.train(was_training)
        self._remembered_step = self.step

    def _evaluate(self) -> None:
        self._remember_styles()
        found = self.tracker.evaluate(self.step)
        self.tracker.sheet(self.step)
        self._scored = (self.step, found)
        if found:
            log.info("step %d, held-out (best naive): %s", self.step, say_scores(found, self._baselines))

    def save(self) -> None:
        """Writes a checkpoint of this step, unless it has been written.

        Raises: RunError if a weight is not finite; the older checkpoints stand. OSError if it cannot be written.
        """
        if self.step == self._saved_step:
            return
        self._remember_styles()
        networks: dict[str, nn.Module] = {"generator": self.train_step.averaged}
        if self.train_step.ema:
            networks["generator_training"] = self.train_step.generator
        if self.train_step.discriminator is not None:
            networks["discriminator"] = self.train_step.discriminator
        for name, network in networks.items():
            if not all(bool(t.isfinite().all()) for t in network.state_dict().values() if t.is_floating_point()):
                raise RunError(f"step {self.step}: a weight of {name} is not finite; {self._what_stands()}")
        training = {
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()},
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }
        scored_step, found = self._scored
        checkpoints.save(
            self.run,
            step=self.step,
            facts={
                "minutes": self.minutes,
                "scores": found if scored_step == self.step else {},
                **self.facts,
            },
            config_yaml=self.config_yaml,
            networks=networks,
            training=training,
        )
        self._saved_step = self.step

    def resume(self, saved: checkpoints.Checkpoint) -> None:
        """Goes back to where a checkpoint stands. Raises: RunError if it is damaged or does not fit."""
        saved.load_network(self.train_step.averaged, "generator")
        if self.train_step.ema:
            saved.load_network(self.train_step.generator, "generator_training")
        if self.train_step.discriminator is not None:
            saved.load_network(self.train_step.discriminator, "discriminator")
        state = saved.training_state()
        try:
            for name, optimiser in self._optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            torch.set_rng_state(state["random"])
            if state["random_cuda"] and self.device.type == "cuda":
                torch.cuda.set_rng_state_all(state["random_cuda"])
            self.minutes = float(saved.facts["minutes"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise RunError(
                f"{saved.folder / 'training.pt'}: does not fit this run ({type(error).__name__}: {error})."
            ) from error
        self.step = self._saved_step = saved.step

    # -- the outside ----------------------------------------------------------------------------

    def _progress_bar(self) -> tqdm[Any]:
        return tqdm(
            # Where minutes end the run, the first log tells about how many steps they allow.
            total=None if self.schedule.max_minutes else self.schedule.max_steps,
            initial=self.step,
            unit="step",
            desc="training",
            dynamic_ncols=True,
            # On a terminal often enough to watch; in a log file a line now and then.
            mininterval=0.5 if sys.stderr.isatty() else 20,
        )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM let the step end; a second one of them stops at once."""

        def ask_to_stop(number: int, frame: Any) -> None:
            self._signal = number
            signal.signal(number, before[signal.Signals(number)])
            log.info("%s: finishing this step and saving", signal.Signals(number).name)

        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        for number in before:
            signal.signal(number, ask_to_stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
