"""The same as ``fontgan render``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("render", sys.argv[1:]))
