import sys

from fontgan.cli import main

sys.exit(main())
