"""Pages to write characters on, and the way back from their scans and photographs to glyph images."""
