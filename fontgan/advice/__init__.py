"""Which characters to draw next: by the parts that a source font's glyphs share."""
