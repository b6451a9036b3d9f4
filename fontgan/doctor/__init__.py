"""``fontgan doctor``: what machine and installation are like, and whether what fontgan does works on them.

Read in this order: rows (a line of the page), privacy, machine, packages, disk (asked in this process, without torch),
child (a process of its own, which may die of a broken package), computing and self_test (what it does), examine (all of
it). Nothing here needs more than Python to be imported, so that the page names a package that is broken.
"""
