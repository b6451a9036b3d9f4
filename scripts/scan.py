"""The same as ``fontgan scan``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("scan", sys.argv[1:]))
