"""fontgan coverage: how much of each character set a typeface has."""

import logging
from dataclasses import asdict, dataclass

from fontgan.config.schema import MISSING, ImagesConfig

log = logging.getLogger(__name__)

ORDER = 125
SUMMARY = "say how much of each character set a typeface has, and what its licence says of changes"
EXAMPLES = (
    "fontgan coverage target=MyFont.ttf",
    "fontgan coverage target=my-glyphs/ out=coverage.json",
)


@dataclass
class Config(ImagesConfig):
    target: str = MISSING
    out: str | None = MISSING
    overwrite: bool = MISSING


def main(cfg: Config) -> int:
    """Prints how much it has of the sets of its region, and of others, the most complete first. Returns: 0."""
    from fontgan.complete.coverage import cover
    from fontgan.runtime.files import out_file, write_json
    from fontgan.runtime.log_setup import say

    out = out_file("out", cfg.out, ".json", overwrite=cfg.overwrite) if cfg.out else None
    found = cover(cfg.target)
    say(f"{found.family or cfg.target}: {len(found.characters)} characters, {found.region.name}")
    for each in found.sets:
        say(f"{each.has / each.of:5.0%}  {each.name:<16} {each.has} of {each.of}")
    if found.licence:
        for line in found.licence.said:
            say(line)
        if found.licence.why:
            say(found.licence.why)
    log.info("to complete %s: fontgan complete target=%s", found.charset, cfg.target)
    if out:
        sets = [{"name": each.name, "of": each.of, "has": each.has, "missing": each.missing} for each in found.sets]
        licence = asdict(found.licence) if found.licence else None
        content = {"target": cfg.target, "family": found.family, "characters": found.characters}
        content |= {"region": found.region.name, "source": found.source, "charset": found.charset}
        write_json(out, content | {"sets": sets, "licence": licence})
    return 0
