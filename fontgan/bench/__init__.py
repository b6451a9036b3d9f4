"""``fontgan bench``: training step, inference, data, fonts and tracers, one file for each section."""
