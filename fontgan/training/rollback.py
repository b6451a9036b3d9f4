"""Rollback: a training that diverged goes back to its last good checkpoint, and on at half the learning rate."""

import logging

from fontgan.errors import RunError
from fontgan.runtime.distributed import all_reduce_max, is_main, raise_on_main
from fontgan.training import checkpoint as checkpoints
from fontgan.training.monitor import ROLLBACK, STOP, Diverged
from fontgan.training.state import TrainingState

log = logging.getLogger(__name__)

MAX_ROLLBACKS = 3  # of a run: an eighth of the learning rate then; what diverges even so has another cause
# Steps; a run that diverges again so soon after going back was in trouble before the save it went back to.
MIN_STEPS_BETWEEN = 200


def roll_back(state: TrainingState, found: Diverged, on_divergence: str) -> None:
    """Goes back to the last checkpoint that is not in doubt, and from there on at half the learning rate.

    The checkpoint itself is made again, so that a run that is killed before the next one goes on like this one.

    Raises: RunError where that is not wanted, or has not helped so far, or there is no such checkpoint.
    """
    past, good_until = state.rollbacks, found.good_until
    if past and found.step - past[-1]["back_to"] <= MIN_STEPS_BETWEEN:
        good_until = min(good_until, past[-1]["back_to"] - 1)
    # The main process decides: what it verifies, the others need not.
    saved = _last_good_save(state, good_until) if is_main() else None
    may_go_back = on_divergence == ROLLBACK and len(past) < MAX_ROLLBACKS
    (back_to,) = all_reduce_max([-1 if saved is None else saved.step])
    if not may_go_back or back_to < 0:
        raise raise_on_main(RunError(f"{found}; {_remedy(state, saved, good_until, on_divergence)}")) from found
    state.resume(saved or next(c for c in checkpoints.all_checkpoints(state.run) if c.step == back_to))
    state.monitor.state.lasting.clear()  # a training that was rolled back has its full time again
    rate = state.full_rates["g"] * 0.5 ** (len(past) + 1)
    state.rollbacks = [*past, {"step": found.step, "back_to": state.step, "reason": str(found), "rate": rate}]
    if is_main():
        goes_on = f"going back to the checkpoint of step {state.step}, and on from there at {state.rate_left:g}"
        number = f"rollback {len(state.rollbacks)} of {MAX_ROLLBACKS} at most"
        log.warning("%s; %s of the learning rate (%s)", found, goes_on, number)
    all_reduce_max([0.0])  # everyone has read it
    if is_main():
        checkpoints.drop_after(state.run, state.step)
    state.save(again=True)


def _last_good_save(state: TrainingState, good_until: int) -> checkpoints.Checkpoint | None:
    """The newest intact checkpoint up to a step; where only later ones are left, the oldest of these."""
    try:
        found = checkpoints.newest_intact(state.run, before=good_until + 1)
        if found is None and (there := checkpoints.all_checkpoints(state.run)):
            found = checkpoints.newest_intact(state.run, before=there[0].step + 1)
        return found
    except RunError as error:
        log.warning("%s", error)
        return None


def _remedy(state: TrainingState, saved: checkpoints.Checkpoint | None, good_until: int, on_divergence: str) -> str:
    """What stands, and what to do."""
    stands, again = "there is no checkpoint yet", "Start"
    if saved is not None:
        stands = f"the checkpoint of step {saved.step} stands{' but may be spoilt already' * (saved.step > good_until)}"
        if on_divergence == STOP and len(state.rollbacks) < MAX_ROLLBACKS:
            again = "Go on from there with trainer.on_divergence=rollback, or start"
    if state.rollbacks:
        stands += f", and rollbacks at step {', '.join(str(past['step']) for past in state.rollbacks)} were in vain"
    rate = state.full_rates["g"] * state.rate_left / 4
    clip = "" if state.train_step.grad_clip else "trainer.grad_clip=1, "
    return f"{stands}. {again} again in another out= with optim.lr={rate:g}, {clip}or trainer.precision=fp32."
