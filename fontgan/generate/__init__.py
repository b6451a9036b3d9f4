"""Drawing with a trained run."""
