"""A run -> a repository on the hub, or a folder of just what would be sent."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fontgan.base import NOTICE
from fontgan.errors import DataError, RunError, shorten
from fontgan.export.metadata import licence_note
from fontgan.generate.inference import Run, load
from fontgan.hub.card import model_card
from fontgan.hub.client import NoConnection, hub_api, hub_errors, page_of
from fontgan.hub.names import SCHEME
from fontgan.hub.public import history, public_files
from fontgan.hub.pull import pull
from fontgan.hub.sheet import drawn_sheet
from fontgan.hub.terms import own_styles
from fontgan.pictures.contact_sheet import save_png
from fontgan.runtime.files import as_utf8, own_folder, replace_folder, temporary_sibling

log = logging.getLogger(__name__)

CARD = "README.md"
MARK = "library_name: fontgan\n"  # of a card, so that its folder may be replaced
OPTIONAL = ("sheet.png", "metrics.jsonl")  # which an earlier push may have sent, and this one not
_THEIRS = (".gitattributes", CARD)  # what the hub itself makes of a new repository


def gather(
    run: Run, *, repo: str, licence: str, named: Mapping[str, Sequence[str]], plugins: Sequence[str] = ()
) -> dict[str, bytes]:
    """All that is passed on of a run, by file name; loaded once as a reader would, before anything goes out.

    Args:
        run: on the CPU, in fp32.
        repo: OWNER/NAME.
        licence: an identifier of the hub.
        named: as ``terms.check_terms`` gives it.
    Raises: RunError if what is passed on would not draw.
    """
    contents = public_files(run.checkpoint, repo.rpartition("/")[2])
    styles, lines = own_styles(run.checkpoint), history(run.checkpoint)
    of_base = len(run.styles) > len(styles)
    contents["NOTICE"] = as_utf8(_notice(run, of_base=of_base))
    if lines:
        contents["metrics.jsonl"] = as_utf8("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
    with TemporaryDirectory() as made:
        folder = Path(made)
        sheet_held_out = _draw_sheet(run, [entry["name"] for entry in styles] or run.styles, folder / "sheet.png")
        if sheet_held_out is not None:
            contents["sheet.png"] = (folder / "sheet.png").read_bytes()
        _write(folder, contents)
        passed_on = load(folder, device="cpu", precision="fp32", plugins=plugins)
        card = model_card(
            passed_on, styles, lines, uri=f"{SCHEME}{repo}", licence=licence, named=named, sheet_held_out=sheet_held_out
        )
        contents[CARD] = as_utf8(card)
    return contents


def _draw_sheet(run: Run, styles: list[str], file: Path) -> bool | None:
    """Whether its characters were held out; None if nothing could be drawn."""
    try:
        sheet, held_out = drawn_sheet(run, styles)
    except DataError as error:
        log.warning("the card comes without a picture: %s", error)
        return None
    save_png(sheet, file)
    return held_out


def _notice(run: Run, *, of_base: bool) -> str:
    note = licence_note(run)
    return (
        f"{note}\n\nThe base model of fontgan, which it started from:\n\n{NOTICE.read_text(encoding='utf-8')}"
        if of_base
        else f"{note}\n"
    )


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, data in contents.items():
        (folder / name).write_bytes(data)


def folder_for(value: str, *, overwrite: bool) -> Path:
    """The folder that ``out`` names. Raises: ConfigError if something is there that is not to be replaced."""
    return own_folder("out", value, "fontgan push", file=CARD, mark=MARK, overwrite=overwrite)


def write_folder(out: Path, contents: Mapping[str, bytes]) -> None:
    """Writes aside, and gives the folder its name when it is whole."""
    with temporary_sibling(out) as aside:
        fresh = aside / out.name
        fresh.mkdir()
        _write(fresh, contents)
        replace_folder(fresh, out)


def send(repo: str, contents: Mapping[str, bytes], *, private: bool, revision: str | None, message: str) -> str:
    """Makes the repository if there is none, and sends everything in one commit: all of it is there, or nothing is.

    Returns: its page. Raises: RunError if the hub refuses or is not reached, or what is there is no run.
    """
    try:
        _send(repo, contents, private=private, revision=revision, message=message)
    except NoConnection as error:
        raise RunError(f"{error}; nothing was sent. Try again when it can be reached.") from error
    pull.cache_clear()
    return page_of(repo)


def _send(repo: str, contents: Mapping[str, bytes], *, private: bool, revision: str | None, message: str) -> None:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    api, where = hub_api(), f"repo={repo}"
    with hub_errors(where):
        api.create_repo(repo, private=private, exist_ok=True)
        there = api.model_info(repo)
        if private and not there.private:
            raise RunError(f"{where}: is public. Make it private on its page first, or leave private=true out.")
        if revision is not None:
            api.create_branch(repo, branch=revision, exist_ok=True)
        files = [file.rfilename for file in api.model_info(repo, revision=revision).siblings or ()]
        others = [file for file in files if file not in _THEIRS]
        if others and "run.json" not in files:
            raise RunError(f"{where}: holds files that are no run ({shorten(others, 3, ', ')}). Name another repo=.")
        operations: list[Any] = [
            *(CommitOperationAdd(name, data) for name, data in contents.items()),
            *(CommitOperationDelete(name) for name in OPTIONAL if name in files and name not in contents),
        ]
        api.create_commit(repo, operations, commit_message=message, revision=revision)
