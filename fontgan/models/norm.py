"""Group normalisation with a group count that fits any width.  (Batch and instance norm are torch's own.)"""

from __future__ import annotations

import math

from torch import nn


def group_norm(channels: int, *, groups: int = 32) -> nn.GroupNorm:
    """GroupNorm over ``channels``; takes the largest count up to ``groups`` that divides them.

    Source: Wu & He 2018, arXiv:1803.08494.
    """
    return nn.GroupNorm(math.gcd(groups, channels), channels)
