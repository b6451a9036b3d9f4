"""Runs -> one page: what was trained, which variant draws best, by how much, at what cost."""
