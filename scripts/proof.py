"""The same as ``fontgan proof``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("proof", sys.argv[1:]))
