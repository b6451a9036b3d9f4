"""The same as ``fontgan train``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("train", sys.argv[1:]))
