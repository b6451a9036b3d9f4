import atexit
import os
import sys

from fontgan.cli import main

code = main()
if os.environ.get("WORLD_SIZE", "1") == "1":
    sys.exit(code)
# One of several processes of torchrun.  DistributedDataParallel never lets gloo's threads go (torch 2.14): one of them that
# still holds a tensor while Python ends aborts a process that has done its work.  So Python does not end step by step here.
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
