"""The base model that fontgan brings, and how a setting names it: ``init_from=base``."""

from pathlib import Path

from fontgan.runtime.files import user_path

BASE = "base"
FOLDER = Path(__file__).parent / "assets" / "base"  # one checkpoint
NOTICE = FOLDER / "NOTICE"  # the fonts that it learned from, and their licences


def run_path(spec: str | Path) -> Path:
    """The folder of a run or checkpoint that a setting names; a folder of one's own of that name is ``./base``."""
    return FOLDER if str(spec) == BASE else user_path(spec)
