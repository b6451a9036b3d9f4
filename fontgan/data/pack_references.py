"""Glyphs of a pack's styles, for each to be read off."""

from torch import Tensor

from fontgan.data.batches import training_rows
from fontgan.data.pack import Pack
from fontgan.runtime.subsample import subsample_evenly
from fontgan.values import image_from_pixels


def style_references(pack: Pack, style: str, count: int) -> Tensor:
    """At most ``count`` training glyphs of a pack's style, always the same ones: (K, H, W), -1 ink .. +1 paper."""
    return image_from_pixels(pack.pixels[subsample_evenly(training_rows(pack, style), count)])
