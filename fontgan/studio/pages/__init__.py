"""The pages: each module is a step, with its ``ROUTES`` (path, what answers, method)."""

from collections.abc import Iterator

from fontgan.studio.app import Answer
from fontgan.studio.pages import commands_run, compare, files, font, hand, language, look, start, train
from fontgan.studio.uploads import MAX_FILES

__all__ = ["MAX_FILES", "routes"]


def routes() -> Iterator[tuple[str, Answer, str]]:
    for module in (start, hand, train, look, compare, font, commands_run, files, language):
        yield from module.ROUTES
