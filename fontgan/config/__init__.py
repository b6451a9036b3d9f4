"""Config of a command: composed from configs/, checked, resolved, and turned into objects."""
