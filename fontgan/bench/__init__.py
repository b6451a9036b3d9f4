"""What ``fontgan bench`` measures: a training step, drawing, the data's way to it, blocks; one file a section."""
