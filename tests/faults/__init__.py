"""Faults done on purpose to real trainings and drawings, and whether anything is lost by them.

    python -m tests.faults              # all of them; --help says how to have fewer
    tests/faults/test_faults.py         # a few of each, in the quick tests

server.py forks the processes that are hurt, inside.py hurts them from within, lab.py says what survival is; the other
modules are the faults, and catalogue.py lists them.
"""
