"""Some of many, from all over."""

from collections.abc import Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


def subsample_evenly(things: Sequence[Thing], count: int) -> list[Thing]:
    """At most ``count`` of them, from all over."""
    return list(things) if len(things) <= count else [things[i * len(things) // count] for i in range(count)]
