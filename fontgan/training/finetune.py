"""Starting from a trained run: what is taken over, what is new, and what is held still.

The new model knows the styles of the old one first, in their order, then the new ones.  Only the generator is
taken over, the averaged one that draws; the discriminator, the optimisers and the average start afresh.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fontgan.data.frame import Frame
from fontgan.errors import ConfigError, RunError
from fontgan.models.style import StyleEmbedding
from fontgan.models.unet import UnetGenerator, UnetSkipConnectionBlock
from fontgan.training.checkpoint import Checkpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PretrainedRun:
    """The run that another one starts from.

    Args:
        name: its folder and checkpoint, ``run/step-00001600``.
        styles: what it knows, in the order of its style weights.
        canvas: source cell -> canvas pixels, as its network has learned them.
        members: what its manifest says of its styles, by name.
        checkpoint: None where a run goes on that started from it, which has all of this by itself.
    """

    name: str
    styles: list[str]
    canvas: Frame
    members: dict[str, dict[str, Any]]
    checkpoint: Checkpoint | None

    def model_styles(self, targets: Sequence[str]) -> list[str]:
        """The styles of the model that starts here, in the order of its style weights."""
        return [*self.styles, *self.new_styles(targets)]

    def new_styles(self, targets: Sequence[str]) -> list[str]:
        return [name for name in targets if name not in self.styles]

    def metadata(self) -> dict[str, Any]:
        """What each checkpoint of the new run says of where it started."""
        return {"checkpoint": self.name, "styles": self.styles}

    def manifest(self, own: dict[str, Any]) -> dict[str, Any]:
        """The new run's manifest, with the styles that have no glyphs in it as the old run described them."""
        named = {entry["name"] for entry in own["members"]}
        return {**own, "members": [*own["members"], *(m for name, m in self.members.items() if name not in named)]}


def origin_of(start: Checkpoint) -> PretrainedRun:
    """A run to start from."""
    run = start.folder.resolve().parent.parent.name
    return _read(start, f"{run}/{start.folder.name}", start.metadata["styles"], start)


def origin_of_resumed(last: Checkpoint) -> PretrainedRun:
    """Where a run started from, as its own checkpoint says; the old run may be gone. Raises: RunError."""
    origin = last.metadata.get("init_from")
    if origin is None:
        raise RunError(f"{last.folder / 'run.json'}: lacks init_from. Use another checkpoint of the run.")
    return _read(last, origin["checkpoint"], origin["styles"], None)


def _read(checkpoint: Checkpoint, name: str, styles: list[str], start: Checkpoint | None) -> PretrainedRun:
    data = checkpoint.metadata["data"]
    members = {entry["name"]: entry for entry in data["members"] if entry["name"] in styles}
    return PretrainedRun(name, list(styles), Frame.from_dict(data["cell_to_canvas"]), members, start)


# -- weights --------------------------------------------------------------------------------


def load_pretrained(generator: UnetGenerator, pretrained: PretrainedRun, styles: Sequence[str]) -> None:
    """Fills a generator with the weights of the run it starts from, and says by name what is new or left out.

    A new style's row of every table starts at the mean of the old rows, which draws something between the styles.

    Args:
        styles: all that the generator knows, the old ones first.
    Raises: RunError if the weights are damaged; ConfigError if they are those of another architecture.
    """
    assert pretrained.checkpoint is not None
    tensors = pretrained.checkpoint.tensors("generator")
    count, new = len(tensors), list(styles[len(pretrained.styles) :])
    grown = [key for key in _keys_of_styles(generator) if key in tensors]
    for key in grown:
        rows = tensors[key]
        # Prototypes are made of reference glyphs as soon as the new run looks at itself; until then they are empty.
        row = torch.zeros_like(rows[:1]) if key.endswith("prototypes") else rows.mean(dim=0, keepdim=True)
        tensors[key] = torch.cat([rows, row.expand(len(new), *rows.shape[1:])])
    _check_fit(generator, tensors, pretrained)
    generator.load_state_dict(tensors, strict=True)
    log.info("init_from: %d tensors of %s, which knows %s", count, pretrained.name, ", ".join(pretrained.styles))
    for name in new:
        log.info("new: style %s, %s", name, f"a row of {', '.join(grown)}" if grown else "without a row of its own")
    said = ("generator", "training")
    afresh = sorted(file.stem for file in pretrained.checkpoint.folder.glob("*.safetensors") if file.stem not in said)
    log.info("left out: %s; they start afresh", ", ".join([*afresh, "training (optimisers, random numbers)"]))


def style_tables(generator: nn.Module) -> dict[str, StyleEmbedding]:
    """Every table with a learned row a style, by name."""
    return {name: module for name, module in generator.named_modules() if isinstance(module, StyleEmbedding)}


def _keys_of_styles(generator: UnetGenerator) -> list[str]:
    """The tensors that have one row a style."""
    reader = generator.reference_style
    prototypes = [f"{name}.prototypes" for name, module in generator.named_modules() if module is reader]
    return [*(f"{name}.weight" for name in style_tables(generator)), *prototypes]


def _check_fit(generator: nn.Module, tensors: dict[str, Tensor], pretrained: PretrainedRun) -> None:
    """Raises: ConfigError, which names the first tensor that does not fit."""
    ours = {key: tuple(tensor.shape) for key, tensor in generator.state_dict().items()}
    theirs = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    wrong = [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]
    if wrong:
        key = wrong[0]
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ConfigError(
            f"init_from: the generator has another architecture than {pretrained.name} ({key} is {theirs.get(key, 'absent')} "
            f"there and {ours.get(key, 'absent')} here{more}). Leave the settings of generator out; they come from that run."
        )


# -- holding still --------------------------------------------------------------------------


def freeze_parts(
    generator: UnetGenerator,
    pretrained: PretrainedRun,
    targets: Sequence[str],
    *,
    frozen: Sequence[str],
    train_only: str | None,
) -> tuple[list[nn.Module], int]:
    """Freezes what ``trainer.freeze`` and ``trainer.train_only`` say.

    Args:
        targets: the styles that are trained on.
    Returns: the frozen modules, and how many rows at the head of each style table must stay, both for ``TrainStep``.
    Raises: ConfigError where that leaves nothing to train, or not what is asked for.
    """
    if train_only is not None:
        return train_only_new_rows(generator, pretrained, targets), len(pretrained.styles)
    found, new = freeze(generator, frozen), pretrained.new_styles(targets)
    if "style" in frozen and new and style_tables(generator):
        raise ConfigError(
            f"trainer.freeze=[{', '.join(frozen)}]: the row of {new[0]} is new, and would stay at the mean of the others. "
            "Leave style out, or use trainer.train_only=style."
        )
    return found, 0


def stale_prototypes(generator: UnetGenerator, pretrained: PretrainedRun, targets: Sequence[str]) -> list[str]:
    """Styles whose prototypes stay what they were while the reader that made them is trained on others."""
    reader = generator.reference_style
    if reader is None or not any(parameter.requires_grad for parameter in reader.parameters()):
        return []
    return [name for name in pretrained.styles if name not in targets]


def parts_of(generator: UnetGenerator) -> dict[str, list[nn.Module]]:
    """What ``trainer.freeze`` names -> the generator's modules; each parameter is in one of them.

    encoder is all that comes before the style, decoder the way up, and style whatever reads style weights or
    references, the encoder of references included.
    """
    parts: dict[str, list[nn.Module]] = {"encoder": [], "decoder": [], "style": []}
    block: nn.Module = generator.unet
    while isinstance(block, UnetSkipConnectionBlock):
        for name, child in block.named_children():
            if name != "submodule":
                parts[{"down": "encoder", "up": "decoder"}.get(name, "style")].append(child)
        block = block.submodule
    parts["style"].append(block)
    return parts


def freeze(generator: UnetGenerator, names: Sequence[str]) -> list[nn.Module]:
    """Parameters of these parts collect no gradient any more.

    Returns: their modules, for ``TrainStep``.
    Raises: ConfigError for a part without parameters, or if none is left to train.
    """
    parts, frozen = parts_of(generator), []
    for name in names:
        if not any(True for module in parts[name] for _ in module.parameters()):
            raise ConfigError(f"trainer.freeze: this generator's {name} has no parameters. Leave {name} out.")
        frozen += [module.requires_grad_(False) for module in parts[name]]
    if not any(parameter.requires_grad for parameter in generator.parameters()):
        raise ConfigError(f"trainer.freeze=[{', '.join(names)}]: leaves nothing to train. Leave one part out.")
    return frozen


def train_only_new_rows(generator: UnetGenerator, pretrained: PretrainedRun, targets: Sequence[str]) -> list[nn.Module]:
    """Freezes all but the style tables, whose old rows ``TrainStep`` keeps.

    Returns: the frozen modules, for ``TrainStep``.
    Raises: ConfigError if there is no new style, an old one among the targets, or no table.
    """
    old = [name for name in targets if name in pretrained.styles]
    if old:
        raise ConfigError(
            f"trainer.train_only=style: {pretrained.name} knows {old[0]} already, and its row would stay as it is. "
            "Give data.targets new styles alone, or use trainer.freeze=[encoder]."
        )
    tables = style_tables(generator)
    if not tables and generator.reference_style is not None:
        raise ConfigError(
            "trainer.train_only=style: generator/style=reference has no row a style to train. "
            "Draw with fontgan infer style_images=DIR, or use trainer.freeze=[style], which keeps the reader of references."
        )
    if not tables:
        raise ConfigError(
            "trainer.train_only=style: generator/style=none has no row a style to train. Use trainer.freeze=[encoder]."
        )
    generator.requires_grad_(False)
    for table in tables.values():
        table.requires_grad_(True)
    return [generator]
