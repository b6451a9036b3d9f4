"""How settings name a run on the hub: ``hf://OWNER/NAME``, or ``hf://OWNER/NAME@REVISION``."""

import re
from typing import NamedTuple

from fontgan.errors import ConfigError

SCHEME = "hf://"
_PART = r"[A-Za-z0-9](?:(?!--|\.\.)[\w.-])*"  # as the hub has it
_REPO = re.compile(rf"{_PART}/{_PART}(?<!\.git)(?<![.-])", re.ASCII)
_REVISION = re.compile(r"(?!.*\.\.)[A-Za-z0-9][\w./+-]*(?<![/.])", re.ASCII)
_MAX_LENGTH = 96


class HubRun(NamedTuple):
    repo: str  # OWNER/NAME
    revision: str | None  # a branch, a tag or a commit; None for the main branch

    def __str__(self) -> str:
        return f"{SCHEME}{self.repo}" + (f"@{self.revision}" if self.revision else "")


def is_on_hub(spec: str) -> bool:
    """Whether a setting names a run on the hub."""
    return spec.startswith(SCHEME)


def parse(spec: str) -> HubRun:
    """Raises: ConfigError for a name that no repository can have."""
    repo, at, revision = spec.removeprefix(SCHEME).partition("@")
    if not is_repo(repo) or (at and not is_revision(revision)):
        raise ConfigError(f"{spec}: names no repository. Write hf://OWNER/NAME, or hf://OWNER/NAME@REVISION.")
    return HubRun(repo, revision or None)


def is_repo(name: str) -> bool:
    return len(name) <= _MAX_LENGTH and bool(_REPO.fullmatch(name))


def is_revision(name: str) -> bool:
    """Whether a branch, tag or commit may be called so; of what git takes the plain part."""
    return bool(_REVISION.fullmatch(name))
