"""What fontgan computed when golden.json was written, to be found again after every change that should change nothing.

``python -m tests.golden`` compares, ``python -m tests.golden update`` writes the files anew.
"""
