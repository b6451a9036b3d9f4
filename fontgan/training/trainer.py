"""The training loop: steps, schedule, logs, checkpoints, and stopping without losing anything."""

from __future__ import annotations

import logging
import math
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from fontgan.data.batches import PairSampler
from fontgan.data.references import style_references
from fontgan.errors import RunError
from fontgan.runtime.distributed import (
    all_gather,
    all_reduce_max,
    broadcast_,
    is_main,
    main_first,
    own_random_stream,
    raise_on_main,
    rank,
    world_size,
)
from fontgan.training import checkpoint as checkpoints
from fontgan.training.dead_channels import watched_channels
from fontgan.training.loss_buffer import LossBuffer
from fontgan.training.monitor import ROLLBACK, STOP, Diverged, TrainingMonitor
from fontgan.training.profiler import StepProfiler
from fontgan.training.rollback import MAX_ROLLBACKS, MIN_STEPS_BETWEEN, check_on_divergence
from fontgan.training.run_logger import RunLogger, Scores, format_scores
from fontgan.training.schedule import Intervals, Schedule
from fontgan.training.step import TrainStep

log = logging.getLogger(__name__)


FINISHED, STOPPED = "finished", "stopped"
PROTOTYPE_GLYPHS = 64  # of each style, where styles are read off references
MAX_UNREAD = 100  # steps whose losses are not looked at, however seldom the log is written


class Trainer:
    """Runs a ``TrainStep`` over a ``PairSampler`` until the schedule, a signal or ``stop_at`` ends it.

    Where several processes train together, all of them run one; the main process alone writes, and its clock counts.

    Args:
        metadata: what each checkpoint says of itself besides step, time and scores.
        config_yaml: the resolved config, written into each checkpoint.
        profiler: is told of every step.
        on_divergence: "stop" ends a training that loses what it has learned; "rollback" goes on from its last good
            save, which may be its start, at half the learning rate, at most ``MAX_ROLLBACKS`` times.
    Raises: ConfigError if ``on_divergence`` is neither.
    """

    def __init__(
        self,
        run: Path,
        train_step: TrainStep,
        sampler: PairSampler,
        *,
        tracker: RunLogger,
        schedule: Schedule,
        cadence: Intervals,
        accumulate: int,
        device: torch.device,
        stop_at: int | None,
        metadata: dict[str, Any],
        config_yaml: str,
        profiler: StepProfiler | None = None,
        on_divergence: str = STOP,
    ):
        check_on_divergence(on_divergence)
        self.run = run
        self.train_step = train_step
        self.sampler = sampler
        self.tracker = tracker
        self.schedule = schedule
        self.cadence = cadence
        self.accumulate = accumulate
        self.device = device
        self.stop_at = stop_at
        self.metadata = metadata
        self.config_yaml = config_yaml
        self.profiler = profiler
        self.on_divergence = on_divergence
        self.step = 0
        self.minutes = 0.0  # spent training, over all starts of the run
        self.stopped_by: int | None = None  # the signal that ended the run, whichever process got it
        self.reports = LossBuffer()
        self._optimisers = {
            name: optimiser
            for name, optimiser in (("g", train_step.optimiser_g), ("d", train_step.optimiser_d))
            if optimiser is not None
        }
        self._full_rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in self._optimisers.items()}
        self.health = TrainingMonitor(train_step.objective, discriminator_lr=self._full_rates.get("d", 0.0))
        self.rollbacks: list[dict[str, Any]] = []  # of the run so far: step, back_to, reason, rate
        self._signal: int | None = None  # that this process got
        self._to_log: dict[int, dict[str, float]] = {}  # step -> rates and pace, until its losses have arrived
        self._baselines: dict[str, Scores] = {}
        self._scored: tuple[int, Scores] = (-1, {})
        self._saved_step = -1
        self._remembered_step = -1  # at which step the styles' prototypes were made
        self._started = (0.0, 0)  # when this start of the run began stepping, and at which step
        self._last_log = (0.0, 0)  # when, and at which step

    def fit(self) -> str:
        """Trains to the end. Returns: FINISHED, or STOPPED if a signal or ``stop_at`` came first.

        Raises: RunError if it diverges and is not, or cannot be, rolled back; OSError if the run's folder cannot be
            written.
        """
        if self.step == 0:
            self._remember_styles()
            self.tracker.sheet(0)
            if self.on_divergence == ROLLBACK:
                self.save()  # something to go back to
        fontgan_log = [logging.getLogger("fontgan")]
        with self._signals(), logging_redirect_tqdm(fontgan_log), self._progress_bar() as bar:
            while True:
                try:
                    self._take_steps(bar)
                    break
                except Diverged as found:
                    self._roll_back(found)
                    bar.n = self.step
        return FINISHED if self._done() else STOPPED

    def _take_steps(self, bar: tqdm[Any]) -> None:
        """Trains on from where it stands, and saves at the end. Raises: Diverged, in all processes alike."""
        started, minutes_before = time.monotonic(), self.minutes
        self._last_log = self._started = started, self.step
        self._sync_clock_and_stop(self.minutes)
        while not (self._done() or self._stop_asked() or self.stopped_by):
            first = self.step * self.accumulate
            batches = [self.sampler.batch(first + i) for i in range(self.accumulate)]
            self._set_rates()
            losses = self.train_step(batches, self.schedule.progress(self.step, self.minutes), self.step)
            # Sent before this step, which a GPU computes while the host looks at them.
            if self.reports.pending:
                self._process_losses(bar)
            self.step += 1
            names = [name for batch in batches for name in batch.names]
            self.reports.record(self.step, losses, names, self.train_step.gradients)
            self._sync_clock_and_stop(minutes_before + (time.monotonic() - started) / 60)
            bar.update()
            if self.profiler is not None:
                self.profiler.step()
            if self._due(self.cadence.log):
                self._record_throughput()
            if self._due(self.cadence.log) or len(self.reports) >= MAX_UNREAD:
                self.reports.copy_async()
            evaluate = self._due(self.cadence.evaluate) or self._done()
            # What was scored is saved too: it may be the best.
            save = evaluate or self._due(self.cadence.save)
            if save:
                self._process_losses(bar)
            if evaluate:
                self._evaluate()
            # What is in doubt would push out what is not; it is over, or a divergence, in a few steps.
            if save and not self.health.in_doubt:
                self.save()
        self._process_losses(bar)
        self.save()

    def _sync_clock_and_stop(self, minutes: float) -> None:
        """Takes the main process's clock and whichever signal came, so that all processes go on, or stop, together."""
        self.minutes, number = all_reduce_max([minutes if is_main() else 0.0, self._signal or 0])
        self.stopped_by = int(number) or None

    def _done(self) -> bool:
        return self.schedule.progress(self.step, self.minutes) >= 1

    def _stop_asked(self) -> bool:
        return self.stop_at is not None and self.step >= self.stop_at

    def _due(self, every: int) -> bool:
        return self.step % every == 0

    def _set_rates(self) -> None:
        share = self.schedule.rate(self.step, self.minutes) * self._rate_left
        for name, optimiser in self._optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = self._full_rates[name] * share

    def _process_losses(self, bar: tqdm[Any]) -> None:
        """Reads what all steps so far reported, and logs what is due. Raises: Diverged, in all processes alike."""
        self.reports.copy_async()
        # The names of the glyphs are for what went wrong.
        mine = [replace(report, names=[]) if report.is_finite else report for report in self.reports.collect()]
        for of_all in zip(*all_gather(mine), strict=True):
            step = of_all[0].step
            if wrong := [report for report in of_all if not report.is_finite]:
                # The weights that gave it are those of the step before, which may be saved already.
                raise Diverged(step, wrong[0].say(), good_until=self.health.good_until(step - 1))
            losses = {name: sum(report.values[name] for report in of_all) / len(of_all) for name in of_all[0].values}
            self._warn(self.health.look_at_step(step, losses, of_all[0].gradients))
            if step in self._to_log:
                self._log(step, losses, of_all[0].gradients, bar)

    def _warn(self, lines: Sequence[str]) -> None:
        for line in lines if is_main() else ():
            log.warning("%s", line)

    @property
    def _rate_left(self) -> float:
        """Share of the scheduled learning rate, which halves at each rollback."""
        return 0.5 ** len(self.rollbacks)

    def _roll_back(self, found: Diverged) -> None:
        """Goes back to the last save that is not in doubt, and from there on at half the learning rate.

        The save itself is made again, so that a run that is killed before the next one goes on like this one.

        Raises: RunError where that is not wanted, or has not helped so far, or there is no such save.
        """
        good_until = found.good_until
        if self.rollbacks and found.step - self.rollbacks[-1]["back_to"] <= MIN_STEPS_BETWEEN:
            good_until = min(good_until, self.rollbacks[-1]["back_to"] - 1)
        # The main process decides: what it verifies, the others need not.
        saved = self._last_good_save(good_until) if is_main() else None
        if self.on_divergence != ROLLBACK or len(self.rollbacks) >= MAX_ROLLBACKS:
            raise raise_on_main(RunError(f"{found}; {self._remedy(saved, good_until)}")) from found
        (back_to,) = all_reduce_max([-1 if saved is None else saved.step])
        if back_to < 0:
            raise raise_on_main(RunError(f"{found}; {self._remedy(None, good_until)}")) from found
        self.reports = LossBuffer()
        self._to_log.clear()
        self._baselines = {}
        past = self.rollbacks
        self.resume(saved or next(c for c in checkpoints.all_checkpoints(self.run) if c.step == back_to))
        self.health.forgive()
        rate = self._full_rates["g"] * 0.5 ** (len(past) + 1)
        self.rollbacks = [*past, {"step": found.step, "back_to": self.step, "reason": str(found), "rate": rate}]
        self._warn(
            [
                f"{found}; going back to the checkpoint of step {self.step}, and on from there at {self._rate_left:g} of "
                f"the learning rate (rollback {len(self.rollbacks)} of {MAX_ROLLBACKS} at most)"
            ]
        )
        all_reduce_max([0.0])  # everyone has read it
        if is_main():
            checkpoints.drop_after(self.run, self.step)
        self.tracker.go_back(self.step)
        self.tracker.scalars(self.step, {"health/rollbacks": len(self.rollbacks)})
        self._saved_step = -1
        self.save()

    def _last_good_save(self, good_until: int) -> checkpoints.Checkpoint | None:
        """The newest intact checkpoint up to a step; where only later ones are left, the oldest of these."""
        try:
            found = checkpoints.newest_intact(self.run, before=good_until + 1)
            if found is None and (there := checkpoints.all_checkpoints(self.run)):
                found = checkpoints.newest_intact(self.run, before=there[0].step + 1)
        except RunError as error:
            log.warning("%s", error)
            return None
        return found

    def _remedy(self, saved: checkpoints.Checkpoint | None, good_until: int) -> str:
        """What stands, and what to do."""
        stands = "there is no checkpoint yet" if saved is None else f"the checkpoint of step {saved.step} stands"
        if saved is not None and saved.step > good_until:
            stands += " but may be spoilt already"
        may_go_back = saved is not None and self.on_divergence == STOP and len(self.rollbacks) < MAX_ROLLBACKS
        again = "Go on from there with trainer.on_divergence=rollback, or start" if may_go_back else "Start"
        if self.rollbacks:
            stands += f", and rollbacks at step {', '.join(str(past['step']) for past in self.rollbacks)} were in vain"
        clip = "" if self.train_step.grad_clip else "trainer.grad_clip=1, "
        return (
            f"{stands}. {again} again in another out= with optim.lr={self._full_rates['g'] * self._rate_left / 4:g}, "
            f"{clip}or trainer.precision=fp32."
        )

    def _record_throughput(self) -> None:
        """Keeps what is to be logged of this step beside its losses."""
        now = time.monotonic()
        then, step_then = self._last_log
        self._last_log = now, self.step
        glyphs = (self.step - step_then) * self.sampler.batch_size * self.accumulate / max(now - then, 1e-9)
        rates = {f"lr/{name}": o.param_groups[0]["lr"] for name, o in self._optimisers.items()}
        self._to_log[self.step] = {**rates, "speed/glyphs_per_second": glyphs}

    def _log(self, step: int, losses: dict[str, float], gradients: dict[str, float], bar: tqdm[Any]) -> None:
        """Logs a step, given its means over all processes."""
        noted = self._to_log.pop(step)
        self.tracker.scalars(step, {f"loss/{name}": value for name, value in losses.items()})
        self.tracker.scalars(step, noted)
        self.tracker.scalars(step, {f"health/gradient_{name}": norm for name, norm in gradients.items()})
        if (share := self.health.d_loss_over_chance(losses)) is not None:
            self.tracker.scalars(step, {"health/d_loss_over_chance": share})
        bar.total = self._expected_steps(time.monotonic())
        said = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
        bar.set_postfix_str(f"{noted['speed/glyphs_per_second']:.0f} glyphs/s {said}", refresh=False)

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
        reader = self.train_step.generator_ema.reference_style
        if reader is None or self._remembered_step == self.step:
            return
        was_training = reader.training
        reader.eval()
        pack = self.sampler.pack
        for style in pack.styles:
            references = style_references(pack, style, PROTOTYPE_GLYPHS)
            reader.set_prototype(pack.model_styles.index(style), references.to(self.device))
        reader.train(was_training)
        self._remembered_step = self.step

    def _evaluate(self) -> None:
        self._remember_styles()
        # Batch norm has seen other glyphs in each process; what is scored is what the main one saves.
        broadcast_(self.train_step.generator_ema.buffers())
        if not self._baselines:  # not before: a training should start at once
            self._baselines = self.tracker.baselines()
        with watched_channels(self.train_step.generator_ema) as channels:
            found, drawn = self.tracker.evaluate(self.step)
        self.tracker.sheet(self.step)
        self._scored = (self.step, found)
        if found:
            log.info("step %d, held-out (best baseline): %s", self.step, format_scores(found, self._baselines))
        dead = channels.dead()
        self.tracker.scalars(self.step, {f"health/dead_channels_level_{level}": n for level, (n, _) in dead.items()})
        self._warn(self.health.look_at_evaluation(self.step, drawn, dead))

    def save(self) -> None:
        """Writes a checkpoint of this step, unless it has been written.

        The main process does; the others wait, so that none of them can be ahead of what is on the disk.

        Raises: Diverged if a weight is not finite, in all processes alike; OSError if it cannot be written. The older
            checkpoints stand.
        """
        if self.step == self._saved_step:
            return
        self._remember_styles()
        networks: dict[str, nn.Module] = {"generator": self.train_step.generator_ema}
        if self.train_step.ema_decay:
            networks["generator_training"] = self.train_step.generator
        if self.train_step.discriminator is not None:
            networks["discriminator"] = self.train_step.discriminator
        training = {
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()},
            "random": all_gather(self._random_state()),
        }
        scored_step, found = self._scored
        self._check_weights(networks)
        with main_first():
            if is_main():
                checkpoints.save(
                    self.run,
                    step=self.step,
                    metadata={
                        "minutes": self.minutes,
                        "scores": found if scored_step == self.step else {},
                        "health": self.health.state(),
                        "rollbacks": self.rollbacks,
                        **self.metadata,
                    },
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
                    self.step, f"a weight of {name} is not finite", good_until=self.health.good_until(self.step)
                )

    def _random_state(self) -> dict[str, Any]:
        """Of this process: where its dropout stands."""
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        return {"cpu": torch.get_rng_state(), "cuda": cuda}

    def resume(self, saved: checkpoints.Checkpoint) -> None:
        """Goes back to where a checkpoint stands. Raises: RunError if it is damaged or does not fit."""
        saved.load_network(self.train_step.generator_ema, "generator")
        if self.train_step.ema_decay:
            saved.load_network(self.train_step.generator, "generator_training")
        if self.train_step.discriminator is not None:
            saved.load_network(self.train_step.discriminator, "discriminator")
        state = saved.training_state()
        try:
            for name, optimiser in self._optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            self._restore_random(state["random"], saved.step)
            self.minutes = float(saved.metadata["minutes"])
            self.health.restore(saved.metadata.get("health", {}))
            self.rollbacks = saved.metadata.get("rollbacks", [])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise RunError(
                f"{saved.folder}: its training state does not fit this run ({type(error).__name__}: {error})."
            ) from error
        self.step = self._saved_step = saved.step
        self._scored = (saved.step, saved.metadata.get("scores", {}))
        self._remembered_step = -1

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
