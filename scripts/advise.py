"""The same as ``fontgan advise``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("advise", sys.argv[1:]))
