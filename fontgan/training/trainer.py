"""The training loop: steps, logs, evaluations, checkpoints, and stopping without losing anything."""

import logging
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, replace

from tqdm.contrib.logging import logging_redirect_tqdm

from fontgan.runtime.distributed import all_gather, all_reduce_max, is_main
from fontgan.runtime.process_groups import STOP_SIGNALS
from fontgan.training.evaluator import Evaluator, format_scores
from fontgan.training.loss_buffer import LossBuffer, StepReport
from fontgan.training.monitor import ROLLBACK, Diverged
from fontgan.training.profiler import StepProfiler
from fontgan.training.progress import Progress
from fontgan.training.rollback import roll_back
from fontgan.training.run_logger import RunLogger
from fontgan.training.schedule import TrainingPlan
from fontgan.training.state import TrainingState

log = logging.getLogger(__name__)


MAX_UNREAD = 100  # steps whose losses are not looked at, however seldom the log is written


@dataclass(eq=False)
class Trainer:
    """Training loop: takes steps until the schedule, a signal or ``plan.stop_at`` ends it.

    Where several processes train together, all of them run one; the main process alone writes, and its clock counts.
    """

    state: TrainingState  # what is trained, and its checkpoints; it may have been resumed
    plan: TrainingPlan
    _: KW_ONLY
    evaluator: Evaluator
    logger: RunLogger
    profiler: StepProfiler | None = None  # is told of every step

    def __post_init__(self) -> None:
        self.stopped_by: int | None = None  # the signal that ended the run, whichever process got it
        self._losses = LossBuffer()
        self._to_log: dict[int, dict[str, float]] = {}  # step -> rates and pace, until its losses have arrived

    def fit(self) -> bool:
        """Trains to the end. Returns: False if a signal or ``stop_at`` came first.

        Raises: RunError if it diverges and is not, or cannot be, rolled back; OSError if the run's folder cannot be
            written.
        """
        state, plan = self.state, self.plan
        if state.step == 0:
            state.refresh_prototypes()
            self._log_sheet()
            if plan.on_divergence == ROLLBACK:
                state.save()  # something to go back to
        with (
            stop_on_signal() as self._signal,  # which this process got, 0 for none
            logging_redirect_tqdm([logging.getLogger("fontgan")]),
            Progress(plan.schedule, state.step) as progress,
        ):
            while True:
                try:
                    self._take_steps(progress)
                    return self._done()
                except Diverged as found:
                    roll_back(state, found, plan.on_divergence)
                    self._losses = LossBuffer()
                    self._to_log.clear()
                    self.logger.go_back(state.step)
                    self.logger.scalars(state.step, {"health/rollbacks": len(state.rollbacks)})

    def _take_steps(self, progress: Progress) -> None:
        """Trains on from where the state stands, and saves at the end.

        On a GPU the host runs ahead: it queues a step and looks at no result of it. To read a loss is to wait for its step,
        so losses are sent off when a log is due and read one step later, while the GPU computes that step. They are read
        at once only before an evaluation or a save, which wait for the GPU anyway and must not keep what has diverged.

        Raises: Diverged, in all processes alike.
        """
        state, plan = self.state, self.plan
        started, minutes_before = time.monotonic(), state.minutes
        progress.restart(state.step)
        self._sync_clock_and_stop(state.minutes)
        while not (self._done() or state.step >= (plan.stop_at or math.inf) or self.stopped_by):
            # 1. Queue the step. Batches and rates follow from step and minutes alone, so that resuming is exact.
            first = state.step * plan.accumulate
            batches = [state.sampler.batch(first + i) for i in range(plan.accumulate)]
            state.set_rates(plan.schedule.rate(state.step, state.minutes))
            losses = state.train_step(batches, plan.schedule.progress(state.step, state.minutes), state.step)

            # 2. Read what an earlier step sent, behind the step that has just been queued.
            if self._losses.sent:
                self._process_losses(progress)

            # 3. Count the step, and keep its losses unread. All processes take the main one's clock and any process's
            #    signal here, once a step, so that none of them is alone in ending the loop.
            state.step += 1
            names = [name for batch in batches for name in batch.names]
            gradients, scaled = state.train_step.gradients, bool(state.train_step.scalers)
            self._losses.kept.append(StepReport(state.step, losses, names, gradients, scaled))
            self._sync_clock_and_stop(minutes_before + (time.monotonic() - started) / 60)
            progress.update()
            if self.profiler is not None:
                self.profiler.step()

            # 4. What is due. Rates and pace are noted now; they are logged when the losses have arrived.
            if self._due(plan.log_every):
                self._note_rates_and_pace(progress)
            if self._due(plan.log_every) or len(self._losses.kept) >= MAX_UNREAD:
                self._losses.copy_async()
            evaluate = self._due(plan.eval_every) or self._done()
            save = evaluate or self._due(plan.save_every)  # what was scored is saved too: it may be the best
            if save:
                self._process_losses(progress)
            if evaluate:
                self._evaluate()
            # What is in doubt would push out what is not; it is over, or a divergence, in a few steps.
            if save and not state.monitor.in_doubt:
                state.save()
        self._process_losses(progress)
        state.save()

    # -- when -----------------------------------------------------------------------------------

    def _sync_clock_and_stop(self, minutes: float) -> None:
        """Takes the main process's clock and whichever signal came, so that all processes go on, or stop, together."""
        self.state.minutes, number = all_reduce_max([minutes if is_main() else 0.0, self._signal()])
        self.stopped_by = int(number) or None

    def _done(self) -> bool:
        return self.plan.schedule.progress(self.state.step, self.state.minutes) >= 1

    def _due(self, every: int) -> bool:
        return self.state.step % every == 0

    # -- what is looked at and logged -----------------------------------------------------------

    def _process_losses(self, progress: Progress) -> None:
        """Reads what all steps so far reported, and logs what is due. Raises: Diverged, in all processes alike."""
        self._losses.copy_async()
        # The names of the glyphs are for what went wrong.
        mine = [replace(report, names=[]) if report.is_finite else report for report in self._losses.collect()]
        monitor = self.state.monitor
        for of_all in zip(*all_gather(mine), strict=True):
            step = of_all[0].step
            if wrong := [report for report in of_all if not report.is_finite]:
                # The weights that gave it are those of the step before, which may be saved already.
                raise Diverged(step, wrong[0].say(), good_until=monitor.good_until(step - 1))
            losses = {name: sum(report.values[name] for report in of_all) / len(of_all) for name in of_all[0].values}
            gradients, moved = of_all[0].gradients, of_all[0].moved
            monitor.look_at_overflows(step, {name: name not in moved for name in gradients if of_all[0].scaled})
            self._warn(monitor.look_at_step(step, losses, moved))
            if step in self._to_log:
                self._log_step(step, losses, moved, progress)

    def _note_rates_and_pace(self, progress: Progress) -> None:
        state = self.state
        noted = {f"lr/{name}": optimiser.param_groups[0]["lr"] for name, optimiser in state.optimisers.items()}
        pace = progress.glyphs_per_second(state.step, state.sampler.batch_size * self.plan.accumulate)
        self._to_log[state.step] = noted | {"speed/glyphs_per_second": pace}

    def _log_step(self, step: int, losses: dict[str, float], gradients: dict[str, float], progress: Progress) -> None:
        """Logs a step, given its means over all processes."""
        noted = self._to_log.pop(step)
        found = {f"loss/{name}": value for name, value in losses.items()} | noted
        found |= {f"health/gradient_{name}": norm for name, norm in gradients.items()}
        if (share := self.state.monitor.d_loss_over_chance(losses)) is not None:
            found["health/d_loss_over_chance"] = share
        self.logger.scalars(step, found)
        progress.show(self.state.step, self.state.minutes, noted["speed/glyphs_per_second"], losses)

    def _evaluate(self) -> None:
        """Scores the averaged generator. Raises: Diverged if it has lost a style, in all processes alike."""
        state = self.state
        state.refresh_prototypes()
        baselines = self.evaluator.baselines  # not before: a training should start at once
        self.logger.baselines(baselines)
        scores, drawn, dead = self.evaluator.evaluate()
        state.scored = state.step, scores
        self.logger.scores(state.step, "held_out", scores)
        self._log_sheet()
        if scores:
            log.info("step %d, held-out (best baseline): %s", state.step, format_scores(scores, baselines))
        self.logger.scalars(state.step, {f"health/dead_channels_level_{n}": count for n, (count, _) in dead.items()})
        self._warn(state.monitor.look_at_evaluation(state.step, drawn, dead))

    def _log_sheet(self) -> None:
        if is_main() and (sheet := self.evaluator.sheet()) is not None:
            self.logger.sheet(self.state.step, sheet)

    def _warn(self, lines: Sequence[str]) -> None:
        for line in lines if is_main() else ():
            log.warning("%s", line)


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], int]]:
    """Within the block the first SIGINT or SIGTERM is a request, and the next one finds the handlers from before.

    Yields: a function that tells the signal which this process got, 0 for none.
    """
    got = [0]

    def ask_to_stop(number: int, frame: object) -> None:
        got.append(number)
        signal.signal(number, before[signal.Signals(number)])
        log.info("%s: finishing this step and saving", signal.Signals(number).name)

    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number in before:
        signal.signal(number, ask_to_stop)
    try:
        yield lambda: got[-1]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
