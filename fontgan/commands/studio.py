"""fontgan studio: everything from a font or a hand to the finished font, in a page on this machine."""

import logging
from dataclasses import dataclass

from fontgan.config.schema import MISSING, limited
from fontgan.errors import ConfigError
from fontgan.extras import how_to_install

log = logging.getLogger(__name__)

ORDER = 5
FIRST_WORD = "project"
SUMMARY = "open a page in the browser that goes from a font or a hand to the finished font"
EXAMPLES = ("fontgan studio", "fontgan studio my-font port=9000 open=false")


@dataclass
class Config:
    project: str = MISSING
    port: int = limited(0, 65_535)
    host: str = MISSING
    shown_host: str | None = MISSING
    open: bool = MISSING


def main(cfg: Config) -> int:
    """Serves until Ctrl-C. Returns: 0."""
    from fontgan.runtime.files import user_path

    try:
        from fontgan.studio.server import serve
    except ModuleNotFoundError as error:
        if str(error.name).startswith("fontgan"):
            raise
        raise ConfigError(
            f"studio: needs {error.name}, which is not installed. Run {how_to_install('studio')}."
        ) from error
    serve(user_path(cfg.project), host=cfg.host, port=cfg.port, shown_host=cfg.shown_host, opens=cfg.open)
    return 0
