"""The same as ``fontgan bench``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("bench", sys.argv[1:]))
