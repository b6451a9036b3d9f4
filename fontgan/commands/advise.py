"""fontgan advise: which characters to draw next, or which source to draw from."""

import logging
from dataclasses import dataclass

from fontgan.config.schema import MISSING, ImagesConfig, limited
from fontgan.errors import ConfigError
from fontgan.runtime.files import atomic_write, out_file, user_path

log = logging.getLogger(__name__)

ORDER = 130
SUMMARY = "say which characters to draw next, so that the result improves most, or which source to draw from"
EXAMPLES = (
    "fontgan advise source=shelf:sans charset=gb2312-1 n=100 out=first.txt",
    "fontgan advise target=MyFont.ttf source=NotoSansSC.ttf charset=gb2312-1 n=200 out=advice.txt",
    "fontgan advise target=MyFont.ttf sources=[Sans.ttf,Song.ttf,Kai.ttf] picture=sources.png",
)


@dataclass
class Config(ImagesConfig):
    target: str | None = MISSING
    source: str | None = MISSING
    sources: list[str] | None = MISSING
    charset: str = MISSING
    n: int = limited(1)
    checks: str | None = MISSING
    out: str | None = MISSING
    picture: str | None = MISSING
    overwrite: bool = MISSING


PICTURE_PX = 144


def conflicts(cfg: Config, typed: set[str]) -> None:
    """Raises: ConfigError unless there is one of source and sources, what it is for, and nothing that would not be read."""
    if (cfg.source is None) == (cfg.sources is None):
        raise ConfigError("source or sources: give source=A.ttf for characters to draw, or sources=[A.ttf,B.ttf].")
    if cfg.target is None and cfg.sources is not None:
        raise ConfigError("sources: are ranked by how near they are to a target. Add target=MyFont.ttf.")
    if cfg.target is None and cfg.checks is not None:
        raise ConfigError(
            "checks: tell of glyphs that were made for a target. Add target=MyFont.ttf, or leave checks out."
        )
    idle = sorted(typed & {"charset", "n", "checks", "out"})
    if cfg.sources is not None and idle:
        raise ConfigError(
            f"{idle[0]}: is about characters to draw, and sources= asks for a source. Leave one of them out."
        )


def main(cfg: Config) -> int:
    """Prints the characters with a reason each, or the sources, the most useful first. Returns: 0."""
    return _rank(cfg) if cfg.sources is not None else _advise(cfg)


def _rank(cfg: Config) -> int:
    from fontgan.advice.nearest_source import rank_sources
    from fontgan.data.sources import open_glyphs, own_name
    from fontgan.pictures.contact_sheet import contact_sheet, save_png

    file = out_file("picture", cfg.picture, ".png", overwrite=cfg.overwrite) if cfg.picture else None
    ranked = rank_sources(open_glyphs(str(cfg.target)), cfg.sources or [])
    for place, found in enumerate(ranked, 1):
        print(f"{place:4}  {found.distance:.3f}  {found.spec}  ({found.shared} characters of both)")
    log.info(
        "the nearest: data.source=%s; of the others, those that are no worse may help as data.guides", ranked[0].spec
    )
    if file:
        rows = [("target", ranked[0].own)]
        rows += [(f"{found.distance:.3f} {own_name(str(found.spec))}", found.glyphs) for found in ranked]
        save_png(contact_sheet(rows), file)
        log.info("%s", file)
    return 0


def _advise(cfg: Config) -> int:
    from fontgan.advice.advise import advise, lacking_chars, reason
    from fontgan.advice.picture import picture
    from fontgan.data.frame import Frame
    from fontgan.data.glyphs import warn_of_outlying
    from fontgan.data.sources import open_glyphs
    from fontgan.evaluation.checks_file import read_checks
    from fontgan.pictures.contact_sheet import save_png

    out = out_file("out", cfg.out, ".txt", overwrite=cfg.overwrite) if cfg.out else None
    picture_file = out_file("picture", cfg.picture, ".png", overwrite=cfg.overwrite) if cfg.picture else None
    checked = read_checks(user_path(cfg.checks)) if cfg.checks else {}
    source = open_glyphs(str(cfg.source))
    drawn: list[str] = []
    if cfg.target is not None:
        target = open_glyphs(cfg.target)
        own = target.coverage(None)
        warn_of_outlying(target.path, own, "count as drawn")
        drawn = own.drawn
    lacking = lacking_chars(source, drawn, cfg.charset)
    advice, before = advise(source, drawn, lacking, cfg.n, checked)
    for place, each in enumerate(advice, 1):
        print(f"{place:4}  {each.char}  {each.coverage:4.0%}  {reason(each)}")
    log.info(
        "%d of %d %s. Of all their parts, %.0f %% were covered before and %.0f %% are with these.",
        len(advice), len(lacking), "characters" if cfg.target is None else "characters that the target lacks", 100 * before, 100 * advice[-1].coverage,
    )  # fmt: skip
    if out:
        atomic_write(out, "".join(each.char for each in advice) + "\n")
        log.info("%s: to print them: fontgan template chars=%s", out, out)
    if picture_file:
        frame = Frame(PICTURE_PX * 0.94, PICTURE_PX * 0.03, PICTURE_PX * 0.03)
        save_png(picture(advice, [source.rasterize(a.char, frame, PICTURE_PX) for a in advice], before), picture_file)
        log.info("%s", picture_file)
    return 0
