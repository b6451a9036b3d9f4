"""The same as ``fontgan infer``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("infer", sys.argv[1:]))
