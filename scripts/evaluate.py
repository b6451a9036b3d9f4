"""The same as ``fontgan evaluate``, of this checkout, whether it is installed or not."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fontgan.cli import main

sys.exit(main(["evaluate", *sys.argv[1:]]))
