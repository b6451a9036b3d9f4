"""Runs on the Hugging Face Hub: sent by ``fontgan push``, and read where a setting names ``hf://OWNER/NAME``."""
