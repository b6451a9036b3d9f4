"""fontgan train."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omegaconf import DictConfig


def main(cfg: DictConfig) -> int:
    """Trains, or goes on. Returns: exit code."""
    from fontgan.train import train

    return train(cfg)
