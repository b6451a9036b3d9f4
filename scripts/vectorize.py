"""The same as ``fontgan vectorize``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("vectorize", sys.argv[1:]))
