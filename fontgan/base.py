"""How a setting names a run: a folder, ``base`` for the model that fontgan brings, or ``hf://OWNER/NAME`` on the hub."""

from pathlib import Path

from fontgan.hub.names import is_on_hub
from fontgan.runtime.files import user_path

BASE = "base"
FOLDER = Path(__file__).parent / "assets" / "base"  # one checkpoint
NOTICE = FOLDER / "NOTICE"  # the fonts that it learned from, and their licences


def run_path(spec: str | Path) -> Path:
    """The folder of a run or checkpoint that a setting names; a folder of one's own of the name base is ``./base``.

    Nothing is fetched but what is named ``hf://``. What is a Path already is a folder.

    Raises: UserError if a run on the hub cannot be had.
    """
    if isinstance(spec, str) and is_on_hub(spec):
        from fontgan.hub.pull import pull

        return pull(spec)
    return FOLDER if spec == BASE else user_path(spec)
