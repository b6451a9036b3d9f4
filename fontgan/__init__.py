"""fontgan: font style transfer you can train yourself."""

import sys
from typing import TYPE_CHECKING, Any

if sys.version_info < (3, 11):  # noqa: UP036  # in a checkout; pip does not install it there
    sys.exit(f"fontgan: needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}.")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from fontgan.generate.inference import Run, load

__all__ = ["Run", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `fontgan --help` does not wait for torch.
    if name in ("Run", "load"):
        from fontgan.generate import inference

        return getattr(inference, name)
    raise AttributeError(f"module 'fontgan' has no attribute {name!r}")
