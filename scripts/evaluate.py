"""The same as ``fontgan evaluate``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("evaluate", sys.argv[1:]))
