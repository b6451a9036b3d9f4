"""Group normalisation with a group count that fits any width.  (Batch and instance norm are torch's own.)"""

import math

from torch import nn


def group_norm(channels: int, *, groups: int = 32) -> nn.GroupNorm:
    """GroupNorm in as many groups as the greatest common divisor of both numbers; ValueError if ``groups`` is below 1.

    Source: Wu & He 2018, arXiv:1803.08494.
    """
    if groups < 1:
        raise ValueError(f"groups={groups}: 1 or more is needed.")
    return nn.GroupNorm(math.gcd(groups, channels), channels)
