"""Fits a generator: the objective, one step, the loop, logs and checkpoints."""
