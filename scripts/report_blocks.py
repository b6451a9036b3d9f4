"""The same as ``fontgan report blocks``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("report blocks", sys.argv[1:]))
