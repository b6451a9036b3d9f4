"""python scripts/card_costs.py: what each experiment takes of a card, as docs/guide/what-a-card-takes.md shows it.

Memory is counted, not measured: the bytes of all tensors that live at once in a training step, every loss at work, on the
CPU, whose autocast keeps the same maps in 16 bits as a GPU's, or nearly so. Minutes are reckoned: the least time that
each operation could take by a card's published rates (``fontgan.bench.lower_bound``), over the share of that bound which
the H100 reached where both are known. Prints Markdown.  About ten minutes on one CPU core.
"""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from fontgan.bench.lower_bound import LowerBound
from fontgan.bench.machine import Peaks
from fontgan.build import build_parts
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.training.memory import peak_bytes, probe
from fontgan.training.step import TrainStep

CPU = torch.device("cpu")
FEW = "data.charset=的一是不了在人有我他"  # what a step costs does not depend on the glyphs
SMALL, LARGE = 8, 16  # batches counted; a larger one follows from both, as what a step takes grows linearly with it
GIB = 2**30
# Of an H100 beside 16 cores, docs/research/speed.md: milliseconds that its GPU was at work in a step, by experiment.
H100_AT_WORK = {"scratch": 3.9, "zi2zi_classic": 12.0}
LAUNCHING = 25e-3  # seconds: the least that a step took there, in which the host launches some 870 kernels


@dataclass(frozen=True)
class Card:
    """Its maker's figures: 1e12 dense operations a second in bf16 or fp16 with sums in fp32, and 1e9 bytes a second."""

    name: str
    tflops: float
    gb_s: float

    @property
    def peaks(self) -> Peaks:
        # Products in fp32 are few in a step (R1, the encoder of loss.perceptual): an eighth of the rate stands for them.
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
    seconds: dict[str, float]  # of a step at the bound, by card

    def minutes(self, card: Card, share: float) -> float:
        return self.steps * max(LAUNCHING, self.seconds[card.name] / share) / 60


def step_of(experiment: str, precision: str) -> TrainStep:
    """A training step whose optimisers have moved once, so that what they keep is there."""
    settings = [f"experiment={experiment}", FEW, "init_from=null", "data.holdout=0", "allow=[few]"]
    cfg = compose_config("train", settings)
    step = build_parts(cfg, CPU, precision)[1]
    probe(step, 2, cfg.data.size, CPU)
    return step


def kept_bytes(step: TrainStep) -> int:
    """What stays between two steps: weights, their average, and the moments of the optimisers."""
    networks: set[nn.Module] = {step.generator, step.generator_ema, *filter(None, [step.discriminator])}
    tensors = [t for network in networks for t in (*network.parameters(), *network.buffers())]
    for optimiser in filter(None, [step.optimiser_g, step.optimiser_d]):
        tensors += [t for state in optimiser.state.values() for t in state.values() if isinstance(t, torch.Tensor)]
    return sum(tensor.nbytes for tensor in tensors)


def step_bytes(step: TrainStep, batch: int, size: int) -> float:
    """The most bytes that live at once, in a step of that many pairs."""
    few, many = (peak_bytes(partial(probe, step, n, size, CPU), CPU) for n in (SMALL, LARGE))
    return kept_bytes(step) + many + (batch - LARGE) * (many - few) / (LARGE - SMALL)


def cost_of(experiment: str) -> Cost:
    cfg = compose_config("train", [f"experiment={experiment}"])
    size, batch = cfg.data.size, cfg.trainer.batch_size
    steps = {precision: step_of(experiment, precision) for precision in ("fp32", "bf16")}
    gib = {precision: step_bytes(step, batch, size) / GIB for precision, step in steps.items()}
    with ExitStack() as stack:
        counts = {card.name: stack.enter_context(LowerBound(card.peaks)) for card in CARDS}
        probe(steps["bf16"], LARGE, size, CPU)
    seconds = {name: count.seconds * batch / LARGE for name, count in counts.items()}
    return Cost(experiment, size, batch, cfg.trainer.max_steps, gib, seconds)


def main() -> None:
    logging.disable()
    costs = {name: cost_of(name) for name in choices("experiment")}
    shares = {name: costs[name].seconds[H100.name] / (1e-3 * took) for name, took in H100_AT_WORK.items()}
    share = sum(shares.values()) / len(shares)
    print(f"share of the bound that the H100 reached: {', '.join(f'{n} {s:.2f}' for n, s in shares.items())}\n")
    print(f"| experiment | px | pairs | steps | GiB, bf16 or fp16 | GiB, fp32 | {' | '.join(c.name for c in CARDS)} |")
    print("|---" * (6 + len(CARDS)) + "|")
    for cost in costs.values():
        minutes = [f"{cost.minutes(card, share):,.1f}" for card in CARDS]
        memory = [f"{cost.gib[precision]:.2f}" for precision in ("bf16", "fp32")]
        facts = [f"`{cost.experiment}`", str(cost.size), str(cost.batch), f"{cost.steps:,}", *memory, *minutes]
        print(f"| {' | '.join(facts)} |")


if __name__ == "__main__":
    main()
