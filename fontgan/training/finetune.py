"""Starting from a trained run: what is taken over, what is new, and what is held still.

The new model knows the styles of the old one first, in their order, then the new ones.  Only the generator is
taken over, the averaged one that draws; the discriminator, the optimisers and the average start afresh.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fontgan.data.frame import Frame
from fontgan.errors import ConfigError, RunError
from fontgan.models.style import StyleEmbedding
from fontgan.models.unet import UnetGenerator, UnetSkipConnectionBlock
from fontgan.training.checkpoint import Checkpoint

log = logging.getLogger(__name__)

Names = Sequence[str]


@dataclass(frozen=True)
class PretrainedRun:
    """The run that another one starts from."""

    name: str  # its folder and checkpoint, ``run/step-00001600``
    styles: list[str]  # what it knows, in the order of its style weights
    sources: list[dict[str, Any]]  # what its manifest says of its sources
    guides: list[dict[str, Any]]  # of its guides
    members: dict[str, dict[str, Any]]  # and of its styles, by name
    checkpoint: Checkpoint | None  # None where a run goes on that started from it, which has all of this by itself

    @property
    def canvases(self) -> dict[str, Frame]:
        """Own cell -> canvas pixels of each style, as its network has learned it."""
        return {name: Frame.from_dict(member["canvas"]) for name, member in self.members.items()}

    def model_styles(self, targets: Names) -> list[str]:
        """The styles of the model that starts here, in the order of its style weights."""
        return [*self.styles, *self.new_styles(targets)]

    def new_styles(self, targets: Names) -> list[str]:
        return [name for name in targets if name not in self.styles]

    def manifest(self, own: dict[str, Any]) -> dict[str, Any]:
        """The new run's manifest, with the styles that have no glyphs in it as the old run described them.

        Guides may be other ones now: a style goes on to prefer the same font of each, or the first where that is gone.
        """
        named = {entry["name"] for entry in own["styles"]}
        sources, kept = list(own["sources"]), []
        for name, member in self.members.items():
            if name not in named:
                source = self.sources[member["source"]]
                if source not in sources:
                    sources.append(source)
                guides = zip(member.get("preferred", ()), self.guides, own.get("guides", []), strict=False)
                preferred = [_place_of_font(place, before, after) for place, before, after in guides]
                kept.append({**member, "source": sources.index(source), "preferred": preferred})
        return {**own, "sources": sources, "styles": [*own["styles"], *kept]}


def _place_of_font(place: int, before: dict[str, Any], after: dict[str, Any]) -> int:
    """Where in a guide the font is that had a place among those of an earlier guide; 0, the first, if it is not there."""
    old, new = ([guide.get("file"), *guide.get("then", ())] for guide in (before, after))
    return new.index(old[place]) if place < len(old) and old[place] in new else 0


def origin_of(checkpoint: Checkpoint, *, resumed: bool = False) -> PretrainedRun:
    """The run that a new one starts from; with ``resumed`` the one that this checkpoint's own run says it started from,
    which may be gone. Raises: RunError if it says nothing of the kind."""
    found, folder = checkpoint.metadata, checkpoint.folder.resolve()
    own = {"checkpoint": f"{folder.parent.parent.name}/{folder.name}", "styles": found["styles"]}
    if (origin := found.get("init_from") if resumed else own) is None:
        raise RunError(f"{checkpoint.folder / 'run.json'}: lacks init_from. Use another checkpoint of the run.")
    data = found["data"]
    members = {entry["name"]: entry for entry in data["styles"] if entry["name"] in origin["styles"]}
    known = (data["sources"], data.get("guides", []), members)
    return PretrainedRun(origin["checkpoint"], origin["styles"], *known, None if resumed else checkpoint)


def load_pretrained(generator: UnetGenerator, pretrained: PretrainedRun, styles: Names) -> None:
    """Fills a generator with the weights of the run it starts from, and says by name what is new or left out.

    A new style's row of every table is the mean of the old rows, until ``nearest_style`` has seen its glyphs.
    ``styles`` are all that the generator knows, the old ones first.

    Raises: RunError if the weights are damaged; ConfigError if they are those of another architecture.
    """
    assert pretrained.checkpoint is not None
    tensors = pretrained.checkpoint.tensors("generator")
    count, new = len(tensors), list(styles[len(pretrained.styles) :])
    reader = generator.reference_style
    prototypes = [f"{name}.prototypes" for name, module in generator.named_modules() if module is reader]
    grown = [key for key in (*(f"{name}.weight" for name in style_tables(generator)), *prototypes) if key in tensors]
    for key in grown:  # which have a row a style
        rows = tensors[key]
        # Prototypes are made of reference glyphs as soon as the new run looks at itself; until then they are empty.
        row = torch.zeros_like(rows[:1]) if key.endswith("prototypes") else rows.mean(dim=0, keepdim=True)
        tensors[key] = torch.cat([rows, row.expand(len(new), *rows.shape[1:])])
    ours, theirs = ({key: tuple(t.shape) for key, t in of.items()} for of in (generator.state_dict(), tensors))
    if wrong := [key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key)]:
        here, there = (shapes.get(wrong[0], "absent") for shapes in (ours, theirs))
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ConfigError(
            f"init_from: the generator has another architecture than {pretrained.name} ({wrong[0]} is {there} there and "
            f"{here} here{more}). Leave the settings of generator out, or train from nothing: init_from=null."
        )
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


def freeze_parts(
    generator: UnetGenerator, pretrained: PretrainedRun, targets: Names, *, frozen: Names, train_only: str | None
) -> tuple[list[nn.Module], int]:
    """Freezes what ``trainer.freeze`` and ``trainer.train_only`` say; ``targets`` are the styles that are trained on.

    Returns: the frozen modules, and how many rows at the head of each style table must stay, both for ``TrainStep``.
    Raises: ConfigError where that leaves nothing to train, or not what is asked for.
    """
    if train_only is not None:
        _train_only_new_rows(generator, pretrained, targets)
        return [generator], len(pretrained.styles)
    parts, modules = parts_of(generator), []
    for name in frozen:
        if not any(True for module in parts[name] for _ in module.parameters()):
            raise ConfigError(f"trainer.freeze: this generator's {name} has no parameters. Leave {name} out.")
        modules += [module.requires_grad_(False) for module in parts[name]]
    where, new = f"trainer.freeze=[{', '.join(frozen)}]", pretrained.new_styles(targets)
    if not any(parameter.requires_grad for parameter in generator.parameters()):
        raise ConfigError(f"{where}: leaves nothing to train. Leave one part out.")
    if "style" in frozen and new and style_tables(generator):
        raise ConfigError(
            f"{where}: the row of {new[0]} is new, and would stay at that of an old style. "
            "Leave style out, or use trainer.train_only=style."
        )
    return modules, 0


def _train_only_new_rows(generator: UnetGenerator, pretrained: PretrainedRun, targets: Names) -> None:
    """Freezes all but the style tables. Raises: ConfigError if there is an old style among the targets, or no table."""
    where, tables = "trainer.train_only=style", style_tables(generator)
    if old := [name for name in targets if name in pretrained.styles]:
        raise ConfigError(
            f"{where}: {pretrained.name} knows {old[0]} already, and its row would stay as it is. "
            "Give data.targets new styles alone, or use trainer.freeze=[encoder]."
        )
    if not tables:
        kind, remedy = "none", "Use trainer.freeze=[encoder]."
        if generator.reference_style is not None:
            draw = "Draw with fontgan infer style_images=DIR, or use trainer.freeze=[style]"
            kind, remedy = "reference", f"{draw}, which keeps the reader of references."
        raise ConfigError(f"{where}: generator/style={kind} has no row a style to train. {remedy}")
    generator.requires_grad_(False)
    for table in tables.values():
        table.requires_grad_(True)


def stale_prototypes(generator: UnetGenerator, pretrained: PretrainedRun, targets: Names) -> list[str]:
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
