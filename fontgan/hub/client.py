"""huggingface_hub as fontgan uses it: asked for only where a run on the hub is named, and what fails told in one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fontgan import __version__
from fontgan.errors import ConfigError, RunError, UserError, first_line, printable
from fontgan.extras import how_to_install

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_TOKEN = "set HF_TOKEN, or run hf auth login"


class NoConnection(RunError):
    """The hub was not reached."""


def need_hub(where: str) -> None:
    """Raises: ConfigError, which tells of ``where``, if huggingface_hub is not there."""
    try:
        from huggingface_hub import utils
    except ImportError as error:
        raise ConfigError(f"{where}: the hub is reached by huggingface_hub. Run {how_to_install('hub')}.") from error
    utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # what it would warn of is told here, or is no matter
    if not sys.stderr.isatty():
        utils.disable_progress_bars()  # type: ignore[attr-defined]  # those of uploads; what comes down has a bar of our own


def hub_api() -> "HfApi":
    """The hub at ``HF_ENDPOINT``, with the token of ``HF_TOKEN`` or of ``hf auth login``, if there is one."""
    from huggingface_hub import HfApi

    return HfApi(library_name="fontgan", library_version=__version__)


@contextmanager
def hub_errors(where: str) -> Iterator[None]:
    """Tells what the hub refuses, or why it is not reached. Raises: RunError, of what is not reached NoConnection."""
    from huggingface_hub import errors, get_token

    try:
        yield
    except UserError:
        raise
    except errors.GatedRepoError as error:
        remedy = f"Ask for it on the page of the repository; then {_TOKEN}."
        raise RunError(f"{where}: its owner gives access on request. {remedy}") from error
    except errors.RepositoryNotFoundError as error:
        seen = "that the token may see" if get_token() else "that is public"
        raise RunError(
            f"{where}: there is no such repository {seen}. Check the name; to see more, {_TOKEN}."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise RunError(f"{where}: the repository has no such revision. Name a branch, a tag or a commit.") from error
    except errors.OfflineModeIsEnabled as error:
        raise NoConnection(f"{where}: HF_HUB_OFFLINE is set") from error
    except errors.LocalEntryNotFoundError as error:
        raise NoConnection(f"{where}: {first_line(error.__cause__ or error)}") from error  # type: ignore[arg-type]
    except errors.HfHubHTTPError as error:
        raise _refused(where, error) from error
    except errors.HTTPError as error:  # type: ignore[attr-defined]  # of httpx, or httpx2, whichever it has
        raise NoConnection(f"{where}: {first_line(error)}") from error
    except RuntimeError as error:  # around what went wrong with one of several uploads
        if not isinstance(error.__cause__, errors.HTTPError):  # type: ignore[attr-defined]
            raise
        with hub_errors(where):
            raise error.__cause__ from error
    except ValueError as error:  # of a card or a name
        raise RunError(f"{where}: the hub refuses ({printable(str(error))}).") from error


def _refused(where: str, error: Exception) -> RunError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    said = getattr(error, "server_message", None) or first_line(error)
    if status == 401:
        return RunError(f"{where}: the hub does not know who asks. To be known, {_TOKEN}.")
    if status == 403:
        return RunError(f"{where}: the token may not do that ({said}). Use one that may write there.")
    if status is not None and status >= 500:
        return NoConnection(f"{where}: the hub has a fault ({first_line(error)})")
    return RunError(f"{where}: the hub refuses ({said}).")


def page_of(repo: str) -> str:
    """The page of a repository."""
    return f"{os.environ.get('HF_ENDPOINT', 'https://huggingface.co').rstrip('/')}/{repo}"
