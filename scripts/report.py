"""The same as ``fontgan report``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("report", sys.argv[1:]))
