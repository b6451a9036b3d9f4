"""The same as ``fontgan complete``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("complete", sys.argv[1:]))
