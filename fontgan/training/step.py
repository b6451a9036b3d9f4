"""One training step: one update of the discriminator (if there is one at work) and one of the generator.

In several processes DistributedDataParallel averages the gradients.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn.modules.batchnorm import _BatchNorm

from fontgan.data.batches import GlyphBatch
from fontgan.models.discriminator import DiscriminatorOutput
from fontgan.models.style import StyleEmbedding
from fontgan.models.unet import EncodeDecode, UnetGenerator
from fontgan.runtime import distributed
from fontgan.training.objective import PENALISED, Losses, Objective
from fontgan.training.registration import Registration
from fontgan.values import image_from_logits

Drawn = tuple[Tensor, Tensor]  # ink logits (B, 1, H, W), bottleneck features of the source (B, C, h, w)


@dataclass(eq=False)
class TrainStep:
    """One optimisation step of both networks: their optimisers, the losses, and the averaged generator."""

    generator: UnetGenerator
    discriminator: nn.Module | None
    objective: Objective
    _: KW_ONLY
    optimiser_g: torch.optim.Optimizer
    optimiser_d: torch.optim.Optimizer | None
    autocast: Callable[[], torch.autocast]  # makes the context in which networks compute (bf16, fp16 or full precision)
    # ``EncodeDecode`` of the generator: as it is, compiled, or wrapped for several processes; the discriminator likewise.
    forward: Any = None
    forward_d: Any = None
    ema_decay: float = 0.0  # weight of the past in the averaged generator, below 1; 0 keeps no average
    grad_clip: float = 0.0  # largest gradient norm of each network, 0 for none
    # Parts of the generator that never move; they compute as in drawing (no dropout, batch norm by its stored
    # statistics), so that their buffers stay as they are too.
    frozen_parts: Sequence[nn.Module] = ()
    registration: Registration | None = None  # moves true glyphs to where they are drawn before the losses compare them
    num_frozen_styles: int = 0  # rows at the head of every style table that no update may move
    # Of fp16, by network, "g" and "d"; {} in other precisions. A step whose gradients overflow moves nothing of that
    # network, and its scale is halved. Whether they did, the host does not ask.
    scalers: Mapping[str, GradScaler] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Not "or": a compiled network has a length, and none to give.
        self.forward = EncodeDecode(self.generator) if self.forward is None else self.forward
        self.forward_d = self.discriminator if self.forward_d is None else self.forward_d
        self.d_forward_frozen = self.forward_d  # for the generator to learn from, in each process by itself
        self._d_has_batch_norm = self.discriminator is not None and any(
            isinstance(module, _BatchNorm) for module in self.discriminator.modules()
        )
        self._tables = [module.weight for module in self.generator.modules() if isinstance(module, StyleEmbedding)]
        averaged = copy.deepcopy(self.generator).eval().requires_grad_(False) if self.ema_decay else self.generator
        self.generator_ema: UnetGenerator = averaged
        self.gradients: dict[str, Tensor] = {}  # norm of each network's gradient at the last step, before clipping

    def __call__(self, batches: list[GlyphBatch], progress: float, step: int) -> Losses:
        """Moves both networks once, over all of ``batches``.

        Args:
            progress: share of the training done, 0 to 1, for terms that start late or fade.
            step: steps done before this one.
        Returns: the weighted losses by name, detached scalars, averaged over the batches.
        """
        self.generator.train()
        for part in self.frozen_parts:
            part.eval()
        self.gradients = {}
        with_d = self.objective.discriminator_at_work(progress)
        # One batch is drawn once for both updates; several would hold all their graphs at once, so they are redrawn.
        output = self._generate(batches[0]) if with_d and len(batches) == 1 else None
        report = self._update_discriminator(batches, output, progress) if with_d else {}
        report |= self._update_generator(batches, output, progress)
        if self.ema_decay:
            self._update_ema(step)
        return report

    def _generate(self, batch: GlyphBatch) -> Drawn:
        style = batch.style if batch.references is None else batch.references
        with self.autocast():
            logits, source_map = self.forward(batch.inputs, style)
        return logits, source_map.detach()

    def _discriminate_pair(self, batch: GlyphBatch, fake: Tensor) -> tuple[DiscriminatorOutput, DiscriminatorOutput]:
        """The discriminator on true and on generated glyphs, in one pass where no layer mixes the glyphs of a batch."""
        with self.autocast():
            if self._d_has_batch_norm:
                real = self.forward_d(batch.source, batch.target, batch.style)
                return real, self.forward_d(batch.source, fake, batch.style)
            pairs = (batch.source, batch.source), (batch.target, fake), (batch.style, batch.style)
            return split_pair(self.forward_d(*map(torch.cat, pairs)))

    def _update_discriminator(self, batches: list[GlyphBatch], output: Drawn | None, progress: float) -> Losses:
        """D: real pairs up, generated pairs down, whatever else trains it, and its penalties."""
        assert self.discriminator is not None
        assert self.optimiser_d is not None
        report: Losses = {}
        self.optimiser_d.zero_grad(set_to_none=True)
        for batch in batches:
            with torch.no_grad():
                fake = image_from_logits((output or self._generate(batch))[0])
            d_real, d_fake = self._discriminate_pair(batch, fake)
            given: dict[str, Any] = {"d_real": d_real, "d_fake": d_fake, "style": batch.style}
            if self.objective.needs(PENALISED, progress):
                # A pass of its own in full precision: gradients of gradients are too fine for bf16 and fp16.
                # The clone is no leaf: torch's operation counter cannot follow autograd.grad to one.
                target = batch.target.detach().requires_grad_().clone()
                with stored_statistics(self.discriminator):
                    output_with_grad = self.discriminator(batch.source, target, batch.style)
                given |= {"target_with_grad": target, PENALISED: output_with_grad}
            losses = self.objective.discriminator_losses(given, progress)
            _backward(losses, report, len(batches), self.scalers.get("d"))
        self._apply("d", self.discriminator, self.optimiser_d)
        return report

    def _update_generator(self, batches: list[GlyphBatch], output: Drawn | None, progress: float) -> Losses:
        """G: the target's ink, the source's bottleneck features, and to fool D, each as its term weighs it now."""
        report: Losses = {}
        self.optimiser_g.zero_grad(set_to_none=True)
        for batch in batches:
            logits, source_map = output or self._generate(batch)
            fake = image_from_logits(logits)  # what networks see; gradients of it and of the losses' meet at the logits
            if self.registration is not None:
                batch = replace(batch, target=self.registration(batch.target, fake))
            given: dict[str, Any] = {"target": batch.target, "source": batch.source, "style": batch.style}
            given |= {"logits": logits, "fake": image_from_logits(logits)}
            losses = self.objective.generator_losses(given, progress)
            if self.objective.needs("fake_map", progress):
                with self.autocast():
                    beside = torch.cat([fake, batch.inputs[:, 1:]], dim=1)
                    given |= {"source_map": source_map, "fake_map": self.generator.encode(beside)}
                losses |= self.objective.generator_losses(given, progress, done=losses)
            if self.objective.discriminator_at_work(progress):
                given |= self._discriminate_frozen(batch, fake, progress)
                losses |= self.objective.generator_losses(given, progress, done=losses)
            _backward(losses, report, len(batches), self.scalers.get("g"))
        self._apply("g", self.generator, self.optimiser_g)
        return report

    def _discriminate_frozen(self, batch: GlyphBatch, fake: Tensor, progress: float) -> dict[str, DiscriminatorOutput]:
        """The discriminator on generated glyphs, through which the generator learns; on true ones if a loss compares."""
        assert self.discriminator is not None
        with frozen(self.discriminator), self.autocast():
            found = {"d_fake": self.d_forward_frozen(batch.source, fake, batch.style)}
            if self.objective.needs("d_real", progress):
                with torch.no_grad():
                    found["d_real"] = self.d_forward_frozen(batch.source, batch.target, batch.style)
        return found

    def _apply(self, name: str, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        scaler = self.scalers.get(name)
        if scaler is not None:
            scaler.unscale_(optimiser)  # before norms are taken, and clipped
        if self.grad_clip:
            self.gradients[name] = nn.utils.clip_grad_norm_(network.parameters(), self.grad_clip)
        else:
            self.gradients[name] = nn.utils.get_total_norm(p.grad for p in network.parameters() if p.grad is not None)
        # Rows without a gradient would move all the same, by weight decay.
        tables = self._tables if self.num_frozen_styles and network is self.generator else []
        kept = [rows.detach()[: self.num_frozen_styles].clone() for rows in tables]
        if scaler is None:
            optimiser.step()
        else:
            scaler.step(optimiser)
            scaler.update()
        with torch.no_grad():
            for rows, before in zip(tables, kept, strict=True):
                rows[: self.num_frozen_styles] = before

    @torch.no_grad()
    def _update_ema(self, step: int) -> None:
        """Moves the averaged generator; early steps forget faster, so that it does not lag behind the start."""
        decay = min(self.ema_decay, (1 + step) / (10 + step))
        average: list[Tensor] = list(self.generator_ema.parameters())
        current: list[Tensor] = list(self.generator.parameters())
        buffers = zip(self.generator_ema.buffers(), self.generator.buffers(), strict=True)
        if "g" not in self.scalers:
            torch._foreach_lerp_(average, current, 1 - decay)
            for ours, theirs in buffers:
                ours.copy_(theirs)
            return
        moved = self.gradients["g"].isfinite()  # a step that was skipped leaves the average as it is
        for ours, theirs in zip(average, current, strict=True):
            ours.lerp_(theirs, (1 - decay) * moved)
        for ours, theirs in buffers:
            ours.copy_(torch.where(moved, theirs, ours))


def _backward(terms: Losses, report: Losses, share: int, scaler: GradScaler | None) -> None:
    """Backpropagates the sum of the terms as one of ``share`` equal parts and adds them to the report."""
    total = torch.stack(list(terms.values())).sum().div(share)
    (total if scaler is None else scaler.scale(total)).backward()  # type: ignore[no-untyped-call]
    for name, value in terms.items():
        report[name] = report.get(name, torch.zeros_like(value)) + value.detach() / share


def split_pair(both: DiscriminatorOutput) -> tuple[DiscriminatorOutput, DiscriminatorOutput]:
    """The output on a batch of twice the size -> those on its first and its second half."""
    size = len(both.logits) // 2

    def part(of: slice) -> DiscriminatorOutput:
        category = None if both.class_logits is None else both.class_logits[of]
        return DiscriminatorOutput(both.logits[of], category, tuple(maps[of] for maps in both.features))

    return part(slice(size)), part(slice(size, None))


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through the network, its own parameters collect none."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


@contextmanager
def stored_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norm computes by its stored statistics, so that the output on a glyph depends on that glyph alone.

    By those of the batch, the sum over a batch hardly changes with a glyph: the mean that is taken away moves with it.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
    for norm in norms:
        norm.eval()
    try:
        yield
    finally:
        for norm in norms:
            norm.train()


def average_over_processes(train_step: TrainStep, size: int) -> None:
    """From now on every process's gradients are the mean over all of them; all must call this at once."""
    if distributed.world_size() == 1:
        return
    train_step.forward = distributed.wrap_ddp(train_step.forward, [])
    if (discriminator := train_step.discriminator) is not None:
        idle = heads_without_loss(discriminator, train_step.objective, size=size, styles=train_step.generator.styles)
        train_step.forward_d = distributed.wrap_ddp(train_step.forward_d, idle)


def heads_without_loss(discriminator: nn.Module, objective: Objective, *, size: int, styles: int) -> list[nn.Parameter]:
    """The discriminator's parameters that no term of its own reaches, such as a head without ``loss.category``."""
    meta = copy.deepcopy(discriminator).to("meta").eval()
    image, style = torch.zeros(1, 1, size, size, device="meta"), torch.zeros(1, styles, device="meta")
    output = meta(image, image, style)
    terms = objective.discriminator_losses({"d_real": output, "d_fake": output, "style": style}, 1.0)
    reached = torch.autograd.grad(sum(terms.values()), list(meta.parameters()), allow_unused=True)  # type: ignore[arg-type]
    return [ours for ours, found in zip(discriminator.parameters(), reached, strict=True) if found is None]
