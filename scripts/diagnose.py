"""The same as ``fontgan diagnose``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("diagnose", sys.argv[1:]))
