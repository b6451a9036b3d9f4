"""What every block of the generator costs and how it begins, each swapped alone into one and the same baseline."""

import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from fontgan.metrics.artefacts import phase_bias
from fontgan.models.cost import forward_flops, parameters
from fontgan.models.receptive_field import encoder_receptive_field, receptive_field
from fontgan.models.unet import UnetGenerator
from fontgan.report.cost import TIMING
from fontgan.runtime.accelerator import wait_for
from fontgan.runtime.device import autocast, memory_error, pick_device, pick_precision
from fontgan.runtime.progress import Bar
from fontgan.runtime.timing import ratio, time_interleaved

STYLES = 3
DRAWS = 8  # of the initial weights, of which the grid at the start is the median; single draws differ by a half
PROBE_NGF = 4  # a receptive field does not depend on the width
MAX_QUIET_RATIO = 1.5  # above this the baseline's slowest time over its quickest says that something else was running

Field = int | Literal["all"]


@dataclass(frozen=True)
class Choice:
    """One thing to swap into the baseline: a variant of a config group, or a key of the generator."""

    group: str
    name: str
    overrides: tuple[str, ...]
    source: str  # the paper; of a variant as the head of its file says, as is the next
    use: str  # a sentence on when to take it


BASELINE = Choice("", "baseline", (), "", "")


@dataclass(frozen=True)
class Candidate:
    """The generator with a choice in it."""

    key: str  # the same for two choices that come to the same generator
    # (ngf, or None for the width to be measured) -> the generator of ``STYLES`` styles, its weights freshly drawn.
    build: Callable[[int | None], UnetGenerator]
    block: str | None  # module and name of the class of block that the choice puts in, ``fontgan.models.up.UpBlock``


@dataclass
class Row:
    """A choice and what was measured of the whole generator with it."""

    choice: Choice
    parameters: int
    flops: int  # of drawing one glyph
    memory: int  # bytes that autograd keeps of one batch's forward pass, in full precision, weights not counted
    block_field: Field | None  # pixels a side of a block's own input that an output pixel depends on; None: no block
    encoder_field: Field  # pixels a side of the glyph that one place of the innermost map depends on
    grid: float  # ``phase_bias`` of the logits of an untrained generator on blank paper
    # Of a forward and a backward pass, by round; of the baseline the median over the rounds beside each choice.
    seconds: list[float] = field(default_factory=list)
    time: float = 1.0  # seconds over the baseline's in the same round: the median over rounds, and the extremes
    low: float = 1.0
    high: float = 1.0


# -- measuring ------------------------------------------------------------------------------


def measure_blocks(
    chosen: Sequence[Choice],
    prepare: Callable[[Choice], Candidate],
    *,
    size: int,
    batch_size: int,
    ngf: int,
    device: str,
    precision: str,
    seed: int,
) -> tuple[Row, list[Row]]:
    """Measures the baseline and every choice in it; what comes to the same generator is measured once.

    No more than the baseline and one other generator are there at a time.

    Args:
        prepare: the generator with a choice in it, and with ``BASELINE`` the one that all are compared to.
        size: side of the glyphs in pixels; they are random, since neither counts nor times depend on them.
        ngf: channels of level 1.
    Returns: the baseline and the choices, in their order.
    Raises: ConfigError where a generator cannot be built so, RunError where memory does not hold two of them.
    """
    where = pick_device(device)
    context = autocast(where, pick_precision(precision, where))

    def time_passes(**passes: Callable[[], None]) -> dict[str, list[float]]:
        return time_interleaved(passes, partial(wait_for, where), **TIMING, show=False)

    def count(candidate: Candidate, choice: Choice) -> tuple[Row, Callable[[], None]]:
        """All but times, and what is to be timed."""
        torch.manual_seed(seed)
        generator = candidate.build(None).to(where).to(memory_format=torch.channels_last)
        counts = parameters(generator), forward_flops(generator, size), saved_bytes(generator, size, batch_size)
        seen: Field = encoder_receptive_field(candidate.build(PROBE_NGF).eval()) or "all"
        row = Row(choice, *counts, None, seen, grid_at_start(candidate, base_candidate, seed))
        return row, one_pass(generator, size, batch_size, context)

    with memory_error(f"ngf={ngf} batch_size={batch_size}: do not fit in memory. Lower one of them."):
        base_candidate = prepare(BASELINE)
        base, base_pass = count(base_candidate, BASELINE)
        base.seconds.append(statistics.median(time_passes(base=base_pass)["base"]))
        measured = {base_candidate.key: base}
        rows = []
        for choice in Bar(chosen, unit="block", desc="measuring"):
            candidate = prepare(choice)
            if candidate.key not in measured:
                row, its_pass = count(candidate, choice)
                # Beside each choice the baseline goes again: minutes later the same machine is faster or slower.
                seconds = time_passes(base=base_pass, its=its_pass)
                row.seconds, times = seconds["its"], ratio(seconds["its"], seconds["base"])
                row.time, row.low, row.high = times.value, times.low, times.high
                base.seconds.append(statistics.median(seconds["base"]))
                measured[candidate.key] = row
            rows.append(replace(measured[candidate.key], choice=choice, block_field=block_field(candidate)))
    return base, rows


def one_pass(
    generator: UnetGenerator, size: int, batch_size: int, context: Callable[[], torch.autocast]
) -> Callable[[], None]:
    """What a training step does with the generator alone: forward, cross-entropy on ink, backward."""
    source, style = example(generator, size, batch_size)
    ink = source.flip(0).sub(1).div(-2)

    def run() -> None:
        generator.train()
        with context():
            logits = generator(source, style)
        F.binary_cross_entropy_with_logits(logits, ink).backward()  # type: ignore[no-untyped-call]
        generator.zero_grad(set_to_none=True)  # or the gradients of all blocks would lie in memory at once

    return run


def example(generator: UnetGenerator, size: int, batch_size: int) -> tuple[Tensor, Tensor]:
    """Random glyphs and what the style is given by in training: reference glyphs where it reads them, else weights."""
    device = next(generator.parameters()).device
    draw = torch.Generator().manual_seed(0)
    source = torch.rand(batch_size, 1, size, size, generator=draw).mul(2).sub(1)
    if shots := generator.style.shots:
        style = torch.rand(batch_size, shots, size, size, generator=draw).mul(2).sub(1)
    else:
        style = torch.eye(generator.styles)[torch.arange(batch_size) % generator.styles]
    return source.to(device).to(memory_format=torch.channels_last), style.to(device)


def saved_bytes(generator: UnetGenerator, size: int, batch_size: int) -> int:
    """Bytes of the distinct tensors that autograd keeps of one batch's forward pass, weights not counted.

    In full precision on every machine: bf16 would keep copies of the weights too.
    """
    weights = {parameter.untyped_storage().data_ptr() for parameter in generator.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()  # a view keeps all that it looks at
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    generator.train()
    source, style = example(generator, size, batch_size)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = generator(source, style)
    count = sum(kept.values())
    del logits  # until here, or memory would have been freed and used twice
    return count


def grid_at_start(candidate: Candidate, baseline: Candidate, seed: int) -> float:
    """``phase_bias`` of an untrained generator's logits on blank paper, the median over ``DRAWS`` draws.

    What the baseline has too begins with the baseline's weights, or the draws would differ by more than the blocks.
    """
    found = []
    for draw in range(DRAWS):
        torch.manual_seed(seed + draw)
        like = baseline.build(None)
        torch.manual_seed(seed + draw)
        generator = candidate.build(None).eval()
        take_weights(generator, like)
        step = 2**generator.depth
        with torch.no_grad():
            logits = generator(torch.ones(1, 1, 8 * step, 8 * step), torch.eye(STYLES)[:1])
        found.append(float(phase_bias(logits, border=3 * step)))  # so far inside that no border is seen
    return statistics.median(found)


def take_weights(generator: UnetGenerator, like: UnetGenerator) -> None:
    """Gives a generator the weights of another wherever name and shape agree, in their order.

    Places in a sequence do not count as names: a low-pass before a convolution moves it by one.
    """
    waiting: dict[tuple[str, torch.Size], list[Tensor]] = defaultdict(list)
    for name, value in like.state_dict().items():
        waiting[re.sub(r"\.\d+", "", name), value.shape].append(value)
    for name, value in generator.state_dict().items():
        if same := waiting[re.sub(r"\.\d+", "", name), value.shape]:
            value.copy_(same.pop(0))


def block_field(candidate: Candidate) -> Field | None:
    """The widest receptive field of the blocks that a choice puts in, or None where it puts in none."""
    if candidate.block is None:
        return None
    generator = candidate.build(PROBE_NGF).eval()
    size = 2 ** (generator.depth + 1)
    calls: list[tuple[torch.nn.Module, tuple[Any, ...]]] = []
    for module in generator.modules():
        if f"{type(module).__module__}.{type(module).__qualname__}" == candidate.block:
            module.register_forward_pre_hook(lambda module, inputs: calls.append((module, inputs)))
    with torch.no_grad():
        generator(torch.rand(1, 1, size, size), torch.eye(STYLES)[:1])
    for module, _ in calls:
        module._forward_pre_hooks.clear()
    fields = [receptive_field(module, inputs) for module, inputs in calls]
    if not fields:
        return None
    return "all" if None in fields else max(f for f in fields if f is not None)


# -- telling --------------------------------------------------------------------------------

MADE_BY_US = "<!-- made by fontgan report blocks; it will be written over -->"

EXPLANATION = """\
Every part of the generator, each swapped alone into the same generator: `generator/up=deconv`, `generator/style=concat`,
`generator/norm=batch`, nothing optional. All numbers are of the whole generator, except the field.

* **parameters**, and **GFLOP** of drawing one glyph, a multiply-add counted as two. Convolutions and matrix products are
  counted; what works value by value is not: CARAFE's weighted means, DySample's sampling, interpolation, low-passes.
* **memory**: what the forward pass of one batch keeps for the backward pass in full precision, without weights.
* **time** of forward and backward pass, as a multiple of the baseline's, which is timed next to each choice again: the
  median of {rounds} rounds (in brackets the extremes). 1 without brackets is the baseline itself.
* **field**: so many pixels a side of the block's own input (the coarser, where there are two) reach one of its output
  pixels, by its gradients; "all": the whole map. Norm layers are left out, since their statistics see the whole map;
  the statistics that `adain` takes are no norm layer but the block itself, so they count.
* **grid**: the checkerboard that the untrained generator draws on blank paper: how far the four places of the 2x2 pixel
  grid differ, over the mean logit; the median of {draws} draws of the weights. 0 is none. What a choice has in common
  with the baseline begins with the same weights in both.
"""

COLUMNS = ("choice", "parameters", "GFLOP", "memory", "time", "field", "grid", "when to use it", "source")


def to_markdown(base: Row, rows: Sequence[Row], made: dict[str, Any]) -> str:
    """The page.

    Args:
        made: how it was made: device, date, command, size, batch_size, ngf, rounds, fontgan and torch.
    """
    milliseconds = statistics.median(base.seconds) * 1000
    parts = [
        MADE_BY_US,
        "# The blocks of the generator",
        EXPLANATION.format(rounds=made["rounds"], draws=DRAWS).strip(),
        f"Measured {made['date']} on {made['device']}, torch {made['torch']}, fontgan {made['fontgan']}: "
        f"{made['size']} px, batches of {made['batch_size']}, `generator.ngf={made['ngf']}`." + _busy(base),
        f"```sh\n{made['command']}\n```",
        f"The baseline has {base.parameters:,} parameters, {base.flops / 1e9:.3f} GFLOP, "
        f"{base.memory / 2**20:.1f} MiB, {milliseconds:.0f} ms, grid {base.grid:.3f}.",
    ]
    for group in dict.fromkeys(row.choice.group for row in rows):
        title = group.capitalize() if " " in group else f"`{group}`"
        parts += [f"## {title}", _table(COLUMNS, (_cells(row) for row in rows if row.choice.group == group))]
    parts += ["## What a place of the innermost map sees", _encoder_fields(base, rows)]
    return "\n\n".join(parts) + "\n"


def _busy(base: Row) -> str:
    """A sentence where the baseline was not equally fast throughout, else nothing."""
    quickest, slowest = min(base.seconds), max(base.seconds)
    if slowest <= MAX_QUIET_RATIO * quickest:
        return ""
    return (
        f" **The machine was busy**: the baseline itself took from {quickest * 1000:.0f} to {slowest * 1000:.0f} ms in "
        "the course of the run, so take times as rough."
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        f"`{row.choice.name}`",
        f"{row.parameters / 1e6:.2f} M",
        f"{row.flops / 1e9:.3f}",
        f"{row.memory / 2**20:.1f} MiB",
        "1" if row.low == row.high == 1 else f"{row.time:.2f} ({row.low:.2f}-{row.high:.2f})",
        "" if row.block_field is None else str(row.block_field),
        f"{row.grid:.3f}",
        row.choice.use,
        row.choice.source,
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    first, *lines = (" | ".join(cell.replace("|", r"\|") for cell in cells) for cells in [head, *rows])
    return "\n".join([f"| {first} |", f"|{'---|' * len(head)}", *(f"| {line} |" for line in lines)])


def _encoder_fields(base: Row, rows: Sequence[Row]) -> str:
    """Which choices change how much of the glyph the innermost map sees."""
    found = {f"`{' '.join(row.choice.overrides)}`": row.encoder_field for row in rows}
    other = [(name, str(sees)) for name, sees in found.items() if sees != base.encoder_field]
    all_else = ("baseline, and all that is not named here", str(base.encoder_field))
    said = "Pixels a side of the glyph that one place of the innermost map depends on, by its gradients."
    return f"{said}\n\n{_table(('choice', 'pixels'), [all_else, *other])}"
