"""python scripts/card_costs.py: what each experiment takes of a card, the tables of docs/guide/what-a-card-takes.md.

Memory is counted: the bytes of all tensors that live at once in a training step, every loss at work.  The step is one of
torch's fake tensors, which have shapes and places and no numbers, so nothing is computed and nothing takes memory; on
small steps the count is that of a real one (tests/training/test_memory.py).  They are tensors of the CPU, whose autocast
keeps nearly the same maps in 16 bits as a GPU's.

Minutes are reckoned.  The bound of a step is the least time that its operations could take by a card's published rates
(``fontgan.bench.lower_bound``).  What the GPU works on a step is taken to be a multiple of it and so much a kernel; both
follow from two steps that were measured on an H100.  Prints Markdown.
"""

import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fontgan.cli import not_installed  # noqa: E402

try:
    import numpy as np
    import torch
    from torch import Tensor, nn
    from torch._subclasses.fake_tensor import FakeTensorMode

    from fontgan.bench.lower_bound import LowerBound
    from fontgan.bench.machine import Peaks
    from fontgan.build import build_parts
    from fontgan.config.compose import compose_config
    from fontgan.config.groups import choices
    from fontgan.models.glyph_encoder import LOSS_WEIGHTS, glyph_encoder
    from fontgan.training.memory import peak_bytes, probe
    from fontgan.training.step import TrainStep
except ModuleNotFoundError as error:
    sys.exit(f"scripts/card_costs.py: {not_installed(error)}")

CPU = torch.device("cpu")
FEW = "data.charset=的一是不了在人有我他"  # what a step takes does not depend on the glyphs
GIB = 2**30
# Of an H100, docs/research/speed.md: seconds that the GPU was at work in a step, and its kernels.
MEASURED = {"scratch": (3.9e-3, 979), "zi2zi_classic": (12.0e-3, 855)}
KERNELS = 880  # of a step of any experiment, about
LAUNCHING = 25e-3  # seconds: the least that a step took there, as long as 16 fast cores launch its kernels


@dataclass(frozen=True)
class Card:
    """Its maker's figures: 1e12 dense operations a second in bf16 or fp16 with sums in fp32, and 1e9 bytes a second."""

    name: str
    tflops: float
    gb_s: float

    @property
    def peaks(self) -> Peaks:
        # Products in fp32 are few in such a step (R1, the encoder of loss.perceptual): an eighth stands for their rate.
        return Peaks(1e3 * self.tflops, 1e3 * self.tflops / 8, self.gb_s)


H100 = Card("H100 SXM", 989, 3350)
CARDS = (
    H100,
    Card("RTX 4090", 165, 1008),
    Card("RTX 3060", 25.5, 360),
    Card("T4", 65, 320),
    Card("Apple M2", 3.6, 100),
)


@dataclass
class Cost:
    experiment: str
    size: int
    batch: int
    steps: int
    gib: dict[str, float]  # by precision
    bound: dict[str, float]  # seconds of a step, by card

    def minutes(self, card: Card, multiple: float, a_kernel: float) -> float:
        at_work = multiple * self.bound[card.name] + KERNELS * a_kernel
        return self.steps * max(LAUNCHING, at_work) / 60


def cost_of(experiment: str) -> Cost:
    cfg = compose_config("train", [f"experiment={experiment}"])
    size, batch = cfg.data.size, cfg.trainer.batch_size
    gib, bound = {}, {}
    for precision in ("fp32", "bf16"):
        settings = [f"experiment={experiment}", FEW, "init_from=null", "data.holdout=0"]
        step = build_parts(compose_config("train", settings), CPU, precision)[1]
        run = partial(probe, step, batch, size, CPU)
        with FakeTensorMode(allow_non_fake_inputs=True):
            run()  # optimisers make what they keep
            gib[precision] = (kept_bytes(step) + peak_bytes(run, CPU)) / GIB
            bound = {card.name: count.seconds for card, count in zip(CARDS, count(run), strict=True)}
    return Cost(experiment, size, batch, cfg.trainer.max_steps, gib, bound)


def kept_bytes(step: TrainStep) -> int:
    """What stays between two steps: weights, their average, and the moments of the optimisers."""
    networks: set[nn.Module] = {step.generator, step.generator_ema, *filter(None, [step.discriminator])}
    tensors: list[Tensor] = [t for network in networks for t in (*network.parameters(), *network.buffers())]
    for optimiser in filter(None, [step.optimiser_g, step.optimiser_d]):
        tensors += [t for state in optimiser.state.values() for t in state.values() if isinstance(t, Tensor)]
    return sum(tensor.nbytes for tensor in tensors)


def count(run: Callable[[], object]) -> list[LowerBound]:
    """The bound of a step on each card."""
    with ExitStack() as stack:
        counts = [stack.enter_context(LowerBound(card.peaks)) for card in CARDS]
        run()
    return counts


def main() -> None:
    logging.disable()
    glyph_encoder(LOSS_WEIGHTS, CPU)  # read while tensors are real; loss.perceptual finds it in the cache
    costs = {}
    for experiment in choices("experiment"):
        costs[experiment] = cost_of(experiment)
        print(experiment, file=sys.stderr, flush=True)
    known = [(costs[name].bound[H100.name], kernels) for name, (_, kernels) in MEASURED.items()]
    multiple, a_kernel = np.linalg.solve(known, [seconds for seconds, _ in MEASURED.values()]).tolist()
    print(f"{multiple:.2f} times the bound and {1e6 * a_kernel:.1f} microseconds a kernel.\n")
    print("| experiment | px | pairs | GiB in bf16 or fp16 | GiB in fp32 |\n|---|---|---|---|---|")
    for cost in costs.values():
        memory = [f"{cost.gib[precision]:.2f}" for precision in ("bf16", "fp32")]
        print(f"| {' | '.join([f'`{cost.experiment}`', str(cost.size), str(cost.batch), *memory])} |")
    print(f"\n| experiment | steps | {' | '.join(card.name for card in CARDS)} |\n{'|---' * (2 + len(CARDS))}|")
    for cost in costs.values():
        minutes = [f"{cost.minutes(card, multiple, a_kernel):,.1f}" for card in CARDS]
        print(f"| {' | '.join([f'`{cost.experiment}`', f'{cost.steps:,}', *minutes])} |")


if __name__ == "__main__":
    main()
