"""What every block of the generator costs and how it begins, each swapped alone into one and the same baseline."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from fontgan.build import build_generator, choices, compose_config, config_folder, groups
from fontgan.device import autocast, pick_device, pick_precision
from fontgan.errors import RunError
from fontgan.metrics.artefacts import phase_bias
from fontgan.models.cost import forward_flops, parameters
from fontgan.models.receptive import encoder_receptive_field, receptive_field
from fontgan.models.unet import UnetGenerator
from fontgan.models.up import UpBlock
from fontgan.report.cost import take_turns, wait_for

STYLES = 3
DRAWS = 4  # of the initial weights, of which the grid at the start is the median
PROBE_NGF = 4  # a receptive field does not depend on the width

BASELINE = (
    "~experiment", "name=blocks", "generator=unet", "generator/up=deconv", "generator/style=concat",
    "generator/norm=batch",  # at the start it passes maps on as they are, so that a grid is the block's own
)  # fmt: skip
NOT_BLOCKS = ("generator/norm",)

Field = int | Literal["all"]


@dataclass(frozen=True)
class Choice:
    """One thing to swap into the baseline: a variant of a config group, or a key of the generator.

    Attributes:
        source, use: the paper, and a sentence on when to take it; those of a variant stand at the head of its file.
    """

    group: str
    name: str
    overrides: tuple[str, ...]
    source: str
    use: str


@dataclass
class Row:
    """A choice and what was measured of the whole generator with it.

    Attributes:
        flops: of drawing one glyph.
        memory: bytes that autograd keeps of one batch's forward pass, in full precision, weights not counted.
        seconds: of a forward and a backward pass over one batch, by round.
        time: ``seconds`` over the baseline's, the median over rounds; ``low`` and ``high`` the extremes.
        block_field: pixels a side of the block's own input that one output pixel depends on; None where the choice is
            no block.
        encoder_field: pixels a side of the glyph that one place of the innermost map depends on.
        grid: ``phase_bias`` of the logits of an untrained generator on blank paper.
    """

    choice: Choice
    parameters: int
    flops: int
    memory: int
    block_field: Field | None
    encoder_field: Field
    grid: float
    seconds: list[float] = field(default_factory=list)
    time: float = 1.0
    low: float = 1.0
    high: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


KEYS = (
    Choice(
        "keys of the generator",
        "generator.innermost_stride=1",
        ("generator.innermost_stride=1",),
        "none; the classic has stride 2",
        "small glyphs, and parts that need places to work on: the innermost map is twice as fine, and sees less.",
    ),
    Choice(
        "keys of the generator",
        "generator.antialias_down=true",
        ("generator.antialias_down=true",),
        "Zhang 2019, arXiv:1904.11486; Karras et al. 2020, arXiv:1912.04958",
        "thin strokes, whose fine detail would fold into false coarse detail where a map is halved.",
    ),
)


# -- what there is --------------------------------------------------------------------------


def part_groups() -> list[str]:
    """The groups of the generator whose variants are blocks, read from the config folder."""
    return [group for group in groups() if group.startswith("generator/") and group not in NOT_BLOCKS]


def discover() -> list[Choice]:
    """Every variant of every part of the generator, and the keys that change its shape."""
    found = [Choice(g, name, swap(g, name), *_said_in_file(g, name)) for g in part_groups() for name in choices(g)]
    return [*found, *KEYS]


def swap(group: str, name: str) -> tuple[str, ...]:
    """The overrides that put a variant to work: attention also needs a level, here two above the innermost."""
    chosen: tuple[str, ...] = (f"{group}={name}",)
    if group == "generator/attention" and name != "none":
        depth = int(compose_config("train", list(BASELINE)).generator.depth)
        chosen += (f"generator.attention_levels=[{max(1, depth - 2)}]",)
    return chosen


def _said_in_file(group: str, name: str) -> tuple[str, str]:
    """The lines ``# Source:`` and ``# Use:`` at the head of a variant's file or of one that it consists of, or nothing."""
    text = (config_folder() / group / f"{name}.yaml").read_text(encoding="utf-8")
    said = dict(re.findall(r"^# (Source|Use): (.+)$", text, re.MULTILINE))
    if same := re.search(r"^  - /([\w/]+)@_here_: (\w+)$", text, re.MULTILINE):
        source, use = _said_in_file(same[1], same[2])
        said = {"Source": source, "Use": use} | said
    return said.get("Source", ""), said.get("Use", "")


def baseline() -> list[str]:
    """The overrides of the generator that everything is swapped into: no part that could be left out."""
    optional = [g for g in part_groups() if g.count("/") == 1 and g != "generator/style" and "none" in choices(g)]
    return [*BASELINE, *(f"{group}=none" for group in optional)]


# -- measuring ------------------------------------------------------------------------------


def measure_blocks(
    chosen: Sequence[Choice], *, size: int, batch_size: int, ngf: int, device: str, precision: str, seed: int
) -> tuple[Row, list[Row]]:
    """Measures the baseline and every choice in it; what comes to the same generator is measured once.

    Args:
        size: side of the glyphs in pixels; they are random, since neither counts nor times depend on them.
        ngf: channels of level 1.
    Returns: the baseline and the choices, in their order.
    Raises: ConfigError where the generator cannot be built so, RunError where memory does not hold all of them.
    """
    where = pick_device(device)
    context = autocast(where, pick_precision(precision, where))
    settings = [*baseline(), f"data.size={size}", f"generator.ngf={ngf}"]
    measured: dict[str, Row] = {}  # by the generator's config
    passes: dict[str, Callable[[], None]] = {}
    rows, keys = [], []
    try:
        for choice in tqdm([Choice("", "baseline", (), "", ""), *chosen], unit="block", desc="counting"):
            cfg = compose_config("train", [*settings, *choice.overrides])
            key = OmegaConf.to_yaml(cfg.generator)
            if key not in measured:
                torch.manual_seed(seed)
                generator = build_generator(cfg, STYLES).to(where).to(memory_format=torch.channels_last)
                passes[key] = one_pass(generator, size, batch_size, context)
                measured[key] = Row(
                    choice,
                    parameters=parameters(generator),
                    flops=forward_flops(generator, size),
                    memory=saved_bytes(generator, size, batch_size),
                    block_field=None,
                    encoder_field=encoder_receptive_field(_narrow(cfg)) or "all",
                    grid=statistics.median(_grid_at_start(cfg, seed + draw) for draw in range(DRAWS)),
                )
            rows.append(replace(measured[key], choice=choice, block_field=block_field(choice, cfg)))
            keys.append(key)
        seconds = dict(zip(passes, take_turns(list(passes.values()), lambda: wait_for(where)), strict=True))
    except torch.OutOfMemoryError as error:
        raise RunError(f"ngf={ngf} batch_size={batch_size}: do not fit in memory. Lower one of them.") from error
    for row, key in zip(rows, keys, strict=True):
        row.seconds = seconds[key]
        shares = [ours / base for ours, base in zip(seconds[key], seconds[keys[0]], strict=True)]
        row.time, row.low, row.high = statistics.median(shares), min(shares), max(shares)
    return rows[0], rows[1:]


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
    if generator.reference_style is not None:
        style = torch.rand(batch_size, generator.reference_style.shots, size, size, generator=draw).mul(2).sub(1)
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


def _narrow(cfg: DictConfig) -> UnetGenerator:
    narrow: DictConfig = OmegaConf.merge(cfg, {"generator": {"ngf": PROBE_NGF}})  # type: ignore[assignment]
    return build_generator(narrow, STYLES).eval()


@torch.no_grad()
def _grid_at_start(cfg: DictConfig, seed: int) -> float:
    """``phase_bias`` of an untrained generator's logits on blank paper, so far inside that no border is seen."""
    torch.manual_seed(seed)
    generator = build_generator(cfg, STYLES).eval()
    step = 2**generator.depth
    logits = generator(torch.ones(1, 1, 8 * step, 8 * step), torch.eye(STYLES)[:1])
    return float(phase_bias(logits, border=3 * step))


def block_field(choice: Choice, cfg: DictConfig) -> Field | None:
    """The widest receptive field of the blocks that a choice puts in, or None where it names no block."""
    if choice.group not in groups():
        return None
    generator = _narrow(cfg)
    calls: list[tuple[torch.nn.Module, tuple[Any, ...]]] = []
    for block in blocks_of(generator, cfg, choice.group):
        block.register_forward_pre_hook(lambda module, inputs: calls.append((module, inputs)))
    with torch.no_grad():
        size = 2 ** (generator.depth + 1)
        generator(torch.rand(1, 1, size, size), torch.eye(STYLES)[:1])
    for module, _ in calls:
        module._forward_pre_hooks.clear()
    fields = [receptive_field(module, inputs) for module, inputs in calls]
    if not fields:
        return None
    return "all" if None in fields else max(f for f in fields if f is not None)


def blocks_of(generator: UnetGenerator, cfg: DictConfig, group: str) -> list[torch.nn.Module]:
    """The modules of a generator that a config group made: those of its target's class, or for a preset the up blocks."""
    if group == "generator/up":
        return [module for module in generator.modules() if isinstance(module, UpBlock)]
    target = OmegaConf.select(cfg, f"{group.replace('/', '.')}._target_")
    return [module for module in generator.modules() if f"{type(module).__module__}.{type(module).__name__}" == target]


# -- telling --------------------------------------------------------------------------------

MADE_BY_US = "<!-- made by fontgan report blocks; it will be written over -->"

EXPLANATION = """\
Every part of the generator, each swapped alone into the same generator: `generator/up=deconv`, `generator/style=concat`,
`generator/norm=batch`, nothing optional. All numbers are of the whole generator, except the field.

* **parameters**, and **GFLOP** of drawing one glyph, a multiply-add counted as two.
* **memory**: what the forward pass of one batch keeps for the backward pass in full precision, without weights.
* **time** of forward and backward pass, as a multiple of the baseline's in the same rounds: the median of {rounds}
  rounds, in which all take turns (in brackets the extremes). 1 without brackets is the baseline itself.
* **field**: so many pixels a side of the block's own input (the coarser, where there are two) reach one of its output
  pixels, by its gradients; norms are left out, since their statistics see the whole map. "all": the whole map.
* **grid**: the checkerboard that the untrained generator draws on blank paper: how far the four places of the 2x2 pixel
  grid differ, over the mean logit; the median of {draws} draws of the weights. 0 is none.
"""

COLUMNS = ("choice", "parameters", "GFLOP", "memory", "time", "field", "grid", "when to use it", "source")


def to_markdown(base: Row, rows: Sequence[Row], made: dict[str, Any]) -> str:
    """The page.

    Args:
        made: how it was made: device, date, command, size, batch_size, ngf, rounds, fontgan and torch.
    """
    parts = [
        MADE_BY_US,
        "# The blocks of the generator",
        EXPLANATION.format(rounds=made["rounds"], draws=DRAWS).strip(),
        f"Measured {made['date']} on {made['device']}, torch {made['torch']}, fontgan {made['fontgan']}: "
        f"{made['size']} px, batches of {made['batch_size']}, `generator.ngf={made['ngf']}`.",
        f"```sh\n{made['command']}\n```",
        f"The baseline has {_numbers(base)}.",
    ]
    for group in dict.fromkeys(row.choice.group for row in rows):
        title = f"`{group}`" if "/" in group else group.capitalize()
        parts += [f"## {title}", _table([row for row in rows if row.choice.group == group])]
    parts += ["## What a place of the innermost map sees", _encoder_fields(base, rows)]
    return "\n\n".join(parts) + "\n"


def _numbers(row: Row) -> str:
    return (
        f"{row.parameters:,} parameters, {row.flops / 1e9:.3f} GFLOP, {row.memory / 2**20:.1f} MiB, "
        f"{statistics.median(row.seconds) * 1000:.0f} ms, grid {row.grid:.3f}"
    )


def _table(rows: Sequence[Row]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    for row in rows:
        cells = (
            f"`{row.choice.name}`",
            f"{row.parameters / 1e6:.2f} M",
            f"{row.flops / 1e9:.3f}",
            f"{row.memory / 2**20:.1f} MiB",
            "1" if row.low == row.high == 1 else f"{row.time:.2f} ({row.low:.2f}-{row.high:.2f})",
            "" if row.block_field is None else str(row.block_field),
            f"{row.grid:.3f}",
            _cell(row.choice.use),
            _cell(row.choice.source),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _encoder_fields(base: Row, rows: Sequence[Row]) -> str:
    """Which choices change how much of the glyph the innermost map sees."""
    different = [row for row in rows if row.encoder_field != base.encoder_field]
    lines = [
        "Pixels a side of the glyph that one place of the innermost map depends on, by its gradients.",
        "",
        "| choice | pixels |",
        "|---|---|",
        f"| baseline, and all that is not named here | {base.encoder_field} |",
        *(f"| `{' '.join(row.choice.overrides)}` | {row.encoder_field} |" for row in different),
    ]
    return "\n".join(lines)
