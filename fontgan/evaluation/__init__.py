"""Quality of runs and of folders of glyphs."""
