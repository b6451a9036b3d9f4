"""Files from outside: opened within limits, and nothing of them is executed."""
