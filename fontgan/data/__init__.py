"""Fonts and glyph folders in, training pairs out."""
