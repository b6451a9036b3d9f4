"""``python -m fontgan.bench.first_step <overrides>``: ``fontgan train``, saying after each optimiser's step that it is done.

A process of its own, so that whoever started it can time all of it: interpreter, imports, data, networks.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from fontgan.cli import main

MARK = "optimiser moved:"


def say(optimiser: torch.optim.Optimizer, *_: Any) -> None:
    """Prints which optimiser moved, when the device has done it."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
    print(MARK, id(optimiser), flush=True)


if __name__ == "__main__":
    register_optimizer_step_post_hook(say)
    sys.exit(main(["train", *sys.argv[1:]]))
