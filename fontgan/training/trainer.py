"""The training loop: steps, schedule, logs, checkpoints, and stopping without losing anything."""

from __future__ import annotations

import logging
import math
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from fontgan.data.batches import PairSampler
from fontgan.data.references import style_references
from fontgan.distributed import (
    agree_on_largest,
    copy_from_main,
    from_all,
    is_main,
    main_first,
    own_random_stream,
    rank,
    said_once,
    world_size,
)
from fontgan.errors import RunError
from fontgan.training import checkpoint as checkpoints
from fontgan.training.profiler import StepProfiler
from fontgan.training.reports import Report, Reports
from fontgan.training.step import TrainStep
from fontgan.training.track import Scores, Tracker, say_scores

log = logging.getLogger(__name__)

FINISHED, STOPPED = "finished", "stopped"
PROTOTYPE_GLYPHS = 64  # of each style, where styles are read off references
MOST_UNREAD = 100  # steps whose losses are not looked at, however seldom the log is written


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

    Where several processes train together, all of them run one; the main process alone writes, and its clock counts.

    Args:
        facts: what each checkpoint says of itself besides step, time and scores.
        config_yaml: the resolved config, written into each checkpoint.
        profiler: is told of every step.
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
        profiler: StepProfiler | None = None,
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
        self.profiler = profiler
        self.step = 0
        self.minutes = 0.0  # spent training, over all starts of the run
        self.stopped_by: int | None = None  # the signal that ended the run, whichever process got it
        self.reports = Reports()
        self._optimisers = {
            name: optimiser
            for name, optimiser in (("g", train_step.optimiser_g), ("d", train_step.optimiser_d))
            if optimiser is not None
        }
        self._full_rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in self._optimisers.items()}
        self._signal: int | None = None  # that this process got
        self._to_log: dict[int, dict[str, float]] = {}  # step -> rates and pace, until its losses have arrived
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
        started, minutes_before = time.monotonic(), self.minutes
        self._last_log = self._started = started, self.step
        fontgan_log = [logging.getLogger("fontgan")]
        with self._signals(), logging_redirect_tqdm(fontgan_log), self._progress_bar() as bar:
            self._agree(self.minutes)
            while not (self._done() or self._stop_asked() or self.stopped_by):
                first = self.step * self.accumulate
                batches = [self.sampler.batch(first + i) for i in range(self.accumulate)]
                self._set_rates()
                losses = self.train_step(batches, self.schedule.progress(self.step, self.minutes), self.step)
                # Sent before this step, which a GPU computes while the host looks at them.
                if self.reports.under_way:
                    self._look_at_losses(bar)
                self.step += 1
                self.reports.keep(self.step, losses, [name for batch in batches for name in batch.names])
                self._agree(minutes_before + (time.monotonic() - started) / 60)
                bar.update()
                if self.profiler is not None:
                    self.profiler.step()
                if self._due(self.cadence.log):
                    self._note_pace()
                if self._due(self.cadence.log) or len(self.reports) >= MOST_UNREAD:
                    self.reports.send()
                evaluate = self._due(self.cadence.evaluate) or self._done()
                # What was scored is saved too: it may be the best.
                save = evaluate or self._due(self.cadence.save)
                if save:
                    self._look_at_losses(bar)
                if evaluate:
                    self._evaluate()
                if save:
                    self.save()
            self._look_at_losses(bar)
            self.save()
        return FINISHED if self._done() else STOPPED

    def _agree(self, minutes: float) -> None:
        """Takes the main process's clock and whichever signal came, so that all processes go on, or stop, together."""
        self.minutes, number = agree_on_largest([minutes if is_main() else 0.0, self._signal or 0])
        self.stopped_by = int(number) or None

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

    def _look_at_losses(self, bar: tqdm[Any]) -> None:
        """Reads the losses of all steps so far and logs those that are due. Raises: RunError if one is not finite."""
        self.reports.send()
        reports = self.reports.read()
        wrong = next((report for report in reports if not report.is_finite), None)
        to_log = [report for report in reports if report.step in self._to_log]
        everyone = from_all((wrong, to_log))
        faults = [fault for fault, _ in everyone if fault is not None]
        if faults:
            first = min(faults, key=lambda fault: fault.step)
            raise said_once(RunError(f"step {first.step}: {first.say()}; {self._what_stands()}"))
        for of_all in zip(*(due for _, due in everyone), strict=True):
            self._log(of_all, bar)

    def _what_stands(self) -> str:
        there = checkpoints.all_checkpoints(self.run)
        last = f"the checkpoint of step {there[-1].step} stands" if there else "there is no checkpoint yet"
        return (
            f"{last}. Lower optim.lr, set trainer.grad_clip=1 or trainer.precision=fp32, "
            "and start again in another out=."
        )

    # -- what is left behind --------------------------------------------------------------------

    def _note_pace(self) -> None:
        """Keeps what is to be logged of this step beside its losses."""
        now = time.monotonic()
        then, step_then = self._last_log
        self._last_log = now, self.step
        glyphs = (self.step - step_then) * self.sampler.batch_size * self.accumulate / max(now - then, 1e-9)
        rates = {f"lr/{name}": o.param_groups[0]["lr"] for name, o in self._optimisers.items()}
        self._to_log[self.step] = {**rates, "speed/glyphs_per_second": glyphs}

    def _log(self, reports: Sequence[Report], bar: tqdm[Any]) -> None:
        """Logs a step, given the report of each process; their shares of the batch are equal."""
        step = reports[0].step
        values = {name: sum(report.values[name] for report in reports) / len(reports) for name in reports[0].values}
        noted = self._to_log.pop(step)
        self.tracker.scalars(step, {f"loss/{name}": value for name, value in values.items()})
        self.tracker.scalars(step, noted)
        losses = " ".join(f"{name} {value:.3f}" for name, value in values.items())
        bar.total = self._expected_steps(time.monotonic())
        bar.set_postfix_str(f"{noted['speed/glyphs_per_second']:.0f} glyphs/s {losses}", refresh=False)

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
        # Batch norm has seen other glyphs in each process; what is scored is what the main one saves.
        copy_from_main(self.train_step.averaged.buffers())
        if not self._baselines:  # not before: a training should start at once
            self._baselines = self.tracker.baselines()
        found = self.tracker.evaluate(self.step)
        self.tracker.sheet(self.step)
        self._scored = (self.step, found)
        if found:
            log.info("step %d, held-out (best naive): %s", self.step, say_scores(found, self._baselines))

    def save(self) -> None:
        """Writes a checkpoint of this step, unless it has been written.

        The main process does; the others wait, so that none of them can be ahead of what is on the disk.

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
        training = {
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()},
            "random": from_all(self._random_state()),
        }
        scored_step, found = self._scored
        with main_first():
            if is_main():
                self._check_weights(networks)
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

    def _check_weights(self, networks: dict[str, nn.Module]) -> None:
        for name, network in networks.items():
            finite = [t.isfinite().all() for t in network.state_dict().values() if t.is_floating_point()]
            if not bool(torch.stack(finite).all()):
                raise RunError(f"step {self.step}: a weight of {name} is not finite; {self._what_stands()}")

    def _random_state(self) -> dict[str, Any]:
        """Of this process: where its dropout stands."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {"cpu": torch.get_rng_state(), "cuda": cuda}

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
            self._restore_random(state["random"], saved.step)
            self.minutes = float(saved.facts["minutes"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise RunError(
                f"{saved.folder / 'training.pt'}: does not fit this run ({type(error).__name__}: {error})."
            ) from error
        self.step = self._saved_step = saved.step

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

    # -- the outside ----------------------------------------------------------------------------

    def _progress_bar(self) -> tqdm[Any]:
        return tqdm(
            # Where minutes end the run, the first log tells about how many steps they allow.
            total=None if self.schedule.max_minutes else self.schedule.max_steps,
            initial=self.step,
            unit="step",
            desc="training",
            dynamic_ncols=True,
            disable=not is_main(),
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
