"""``hf://OWNER/NAME`` -> a run's folder in the hub's own cache (``HF_HOME``), checked like any stranger's.

Of a repository only the files of a checkpoint are fetched, by their exact names and up to a size; none of them can execute
anything (``fontgan.training.checkpoint``). Whatever else lies there, pickles for one, stays there.
"""

import logging
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from fontgan.errors import RunError, printable
from fontgan.hub.client import NoConnection, hub_api, hub_errors, need_hub
from fontgan.hub.names import HubRun, parse
from fontgan.runtime.progress import Bar
from fontgan.untrusted import plain_json, plain_yaml

log = logging.getLogger(__name__)

WEIGHTS = "generator.safetensors"
_MAX_WEIGHTS = 2 * 2**30  # the base's generator has 12.5 MB
MAX_BYTES = {"run.json": plain_json.MAX_BYTES, "config.yaml": plain_yaml.MAX_BYTES, WEIGHTS: _MAX_WEIGHTS}
# Of a checkpoint that somebody uploaded as it lay in a run's folder: its run.json lists them.
MORE = {f"{name}.safetensors": _MAX_WEIGHTS for name in ("generator_training", "discriminator", "training")}
_COMMIT = re.compile(r"[0-9a-f]{40}")


class _Bar(Bar):
    """The bytes that come down, once they take a second; of huggingface_hub's two or three bars this is one."""

    def __init__(self, things: Iterable[Any] | None = None, *, name: str | None = None, **options: Any):
        wanted = options.get("unit") == "B" and options.get("desc") != "Downloading bytes"  # which tells it twice
        options |= {"desc": "fetching", "bar_format": None, "delay": 1, "leave": False}
        super().__init__(things, disable=not wanted, **options)

    def set_description(self, desc: str | None = None, refresh: bool | None = True) -> None:
        """It keeps its own."""

    set_description_str = set_description


@cache
def pull(spec: str) -> Path:
    """The folder of one checkpoint, fetched if the hub has a newer one than the cache; the same in all of a process.

    Without a connection it is the one in the cache, and a commit that lies there is not asked for.

    Raises: ConfigError for a name that cannot be, or without huggingface_hub; RunError if there is no such run, it is
        none, or too large.
    """
    name = parse(spec)
    need_hub(spec)
    before = _in_cache(name)
    if before and name.revision and _COMMIT.fullmatch(name.revision):
        return _checked(name, before)
    try:
        _refuse_unfit(name)
        folder = _download(name)
    except NoConnection as error:
        if before is None:
            raise RunError(f"{error}, and it is not in the cache yet. Try again with a connection.") from error
        log.info("%s; the one in the cache is used, commit %s", error, before.name[:7])
        return _checked(name, before)
    try:
        return _checked(name, folder)
    except RunError as error:
        if folder != before:
            raise
        log.warning("%s It was damaged in the cache, and is fetched anew.", error)
        return _checked(name, _download(name, force_download=True))


def _refuse_unfit(name: HubRun) -> None:
    """Looks at the list of a repository's files. Raises: RunError if it holds no run, or a file that is too large."""
    with hub_errors(str(name)):
        found = hub_api().model_info(name.repo, revision=name.revision, files_metadata=True)
    sizes = {file.rfilename: file.size for file in found.siblings or ()}
    if lacking := [file for file in MAX_BYTES if file not in sizes]:
        raise RunError(f"{name}: is no run of fontgan (it holds no {lacking[0]}). Name one that fontgan push sent.")
    for file, most in (MAX_BYTES | MORE).items():
        if (size := sizes.get(file, 0)) is None or size > most:
            raise RunError(f"{name}: its {file} is larger than a run's can be ({most // 2**20} MiB). Name another.")


def _download(name: HubRun, **options: Any) -> Path:
    with hub_errors(str(name)):
        return Path(
            hub_api().snapshot_download(
                name.repo, revision=name.revision, allow_patterns=[*MAX_BYTES, *MORE], tqdm_class=_Bar, **options
            )
        )


def _in_cache(name: HubRun) -> Path | None:
    try:
        folder = _download(name, local_files_only=True)
    except NoConnection:
        return None
    return folder if all((folder / file).is_file() for file in MAX_BYTES) else None


def _checked(name: HubRun, folder: Path) -> Path:
    """Reads every file against its checksum. Raises: RunError if the folder is no whole checkpoint."""
    from fontgan.training.checkpoint import open_checkpoint

    try:
        open_checkpoint(folder).verify()
    except RunError as error:
        reason = re.sub(r"\. (?:Use|Give) .*", "", str(error).replace(f"{folder}/", "").replace(f"{folder}: ", ""))
        raise RunError(f"{name}: is no whole run of fontgan ({printable(reason)}).") from error
    return folder
