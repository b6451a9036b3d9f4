"""The recipe of the glyph encoder's weights: ``python -m fontgan.training.train_glyph_encoder OUT.safetensors``.

It learns to tell which character and which of the four bundled fonts it sees, through random affine maps, strokes
made bolder and lighter, blur and noise.  The classifiers are thrown away; the features stay.
"""

import argparse
import logging
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from fontgan.data.augment import Augmentation
from fontgan.data.frame import fit_canvas
from fontgan.data.sources import asset, open_glyphs
from fontgan.models.glyph_encoder import EMBEDDING, SIDE, GlyphEncoder
from fontgan.runtime.files import atomic_write
from fontgan.runtime.progress import Bar

log = logging.getLogger(__name__)

FONTS = ("NotoSansSC-Regular", "LXGWWenKai", "MaShanZheng-Regular", "ZCOOLXiaoWei-Regular")
AFFINE = Augmentation(shift=0.06, scale=0.15, rotate=6.0, shear=0.1)
LEARNING_RATE = 4e-3
SMOOTHING = 0.1  # of the labels


def main(arguments: list[str] | None = None) -> int:
    """Trains and writes the weights; prints what share of freshly distorted glyphs is recognised."""
    parser = argparse.ArgumentParser(prog="python -m fontgan.training.train_glyph_encoder", description=__doc__)
    parser.add_argument("out", type=Path, help="the weights' file")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64, help="glyphs")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    encoder, accuracy = train(options.steps, options.batch, options.seed)
    atomic_write(options.out, save({name: t.contiguous() for name, t in encoder.state_dict().items()}))
    log.info("character %.1f %%, font %.1f %% of freshly distorted glyphs; %s", *accuracy, options.out)
    return 0


def train(steps: int, batch: int, seed: int) -> tuple[GlyphEncoder, tuple[float, float]]:
    """Returns: the encoder, and the percentages of characters and fonts recognised at the end."""
    ink, char, font = load_glyphs()
    torch.manual_seed(seed)
    encoder = GlyphEncoder().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    read = nn.Linear(EMBEDDING, int(char.max()) + 1)
    tell_font = nn.Linear(EMBEDDING, len(FONTS))
    parameters = [*encoder.parameters(), *read.parameters(), *tell_font.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    generator = torch.Generator().manual_seed(seed)
    for _ in (bar := Bar(range(steps), desc="glyph encoder", unit="step")):
        rows = torch.randint(len(ink), (batch,), generator=generator)
        glyphs = distort(ink[rows].float() / 255, generator).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            embedding = encoder(glyphs)
        embedding = embedding.float()
        loss = F.cross_entropy(read(embedding), char[rows], label_smoothing=SMOOTHING)
        loss = loss + 0.3 * F.cross_entropy(tell_font(embedding), font[rows], label_smoothing=SMOOTHING)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        bar.set_postfix_str(f"loss {loss.item():.3f}", refresh=False)
    encoder.eval()
    right_char = right_font = 0
    with torch.inference_mode():
        for rows in torch.split(torch.arange(len(ink)), 256):
            embedding = encoder(distort(ink[rows].float() / 255, generator))
            right_char += int((read(embedding).argmax(1) == char[rows]).sum())
            right_font += int((tell_font(embedding).argmax(1) == font[rows]).sum())
    return encoder, (100 * right_char / len(ink), 100 * right_font / len(ink))


def load_glyphs() -> tuple[Tensor, Tensor, Tensor]:
    """The bundled fonts' glyphs: ink (N, 1, 64, 64) uint8, 0 paper .. 255 ink; character and font numbers (N,)."""
    images, chars, fonts = [], [], []
    numbers: dict[str, int] = {}
    for font, name in enumerate(FONTS):
        glyphs = open_glyphs(str(asset(f"{name}.ttf")))
        present = glyphs.coverage(None).present
        frame = fit_canvas([glyphs.ink_box(c) for c in present], SIDE, 0.1)
        images += [255 - glyphs.rasterize(c, frame, SIDE) for c in present]
        chars += [numbers.setdefault(c, len(numbers)) for c in present]
        fonts += [font] * len(present)
    return torch.from_numpy(np.stack(images))[:, None], torch.tensor(chars), torch.tensor(fonts)


def distort(ink: Tensor, generator: torch.Generator) -> Tensor:
    """(N, 1, H, W) ink, 0..1, moved, made bolder or lighter, blurred and given noise, each glyph in its own way."""
    ink = AFFINE(ink, generator)
    n = len(ink)
    bolder, lighter, blurred = F.max_pool2d(ink, 3, 1, 1), -F.max_pool2d(-ink, 3, 1, 1), F.avg_pool2d(ink, 3, 1, 1)
    for changed in (bolder, lighter, blurred):
        share = (torch.rand(n, 1, 1, 1, generator=generator) - 0.5).clamp_min(0)
        ink = (1 - share) * ink + share * changed
    noise = torch.randn(ink.shape, generator=generator) * 0.1 * torch.rand(n, 1, 1, 1, generator=generator)
    return (ink + noise).clamp(0, 1)


if __name__ == "__main__":
    raise SystemExit(main())
