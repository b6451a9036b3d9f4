"""Scores of glyph images."""
