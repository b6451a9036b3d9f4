"""The same as ``fontgan build-font``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("build-font", sys.argv[1:]))
