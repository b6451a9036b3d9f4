"""The same as ``fontgan template``."""

import sys

from fontgan.cli import run_verb

sys.exit(run_verb("template", sys.argv[1:]))
