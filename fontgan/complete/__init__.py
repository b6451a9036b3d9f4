"""A typeface completed, stage by stage."""
