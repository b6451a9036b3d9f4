"""The same as ``fontgan check``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("check", sys.argv[1:]))
