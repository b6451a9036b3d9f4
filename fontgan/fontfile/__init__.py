"""Glyph images -> outlines -> font file."""
