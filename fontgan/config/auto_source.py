"""``source=auto``: the font of the shelf that a style is best drawn from."""

from typing import TYPE_CHECKING

from fontgan.base import BASE
from fontgan.config.instantiate import target_specs
from fontgan.data.name_reading import AUTO as AUTO_NAMES
from fontgan.data.name_reading import names_read_as
from fontgan.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

AUTO = "auto"


def resolve_auto_source(cfg: "DictConfig") -> list[str]:
    """Puts a font of the shelf where the source is auto. Returns: what to tell. Raises: UserError."""
    if "data" not in cfg or cfg.data.source != AUTO:
        return []
    with names_read_as(cfg.data.get("names", AUTO_NAMES)):
        return _resolve(cfg)


def _resolve(cfg: "DictConfig") -> list[str]:
    targets = target_specs(cfg)
    if not targets and cfg.get("init_from") == BASE:
        return []  # a verb that names them by a setting of its own
    styles = {name: target.spec for name, target in targets.items() if not target.source}
    if not styles:
        raise ConfigError(
            "data.source=auto: is chosen by the styles, and none needs it. Name data.targets, or a source."
        )
    if cfg.get("init_from") != BASE:
        cfg.data.source, told = nearest_of_shelf(list(styles.values()))
        return [f"data.source=auto: {told}"]
    found = {name: source_of_region(spec) for name, spec in styles.items()}
    for name in styles:  # each its own, as regions may differ; one for all is named once
        if len(set(found.values())) > 1:
            cfg.data.targets[name] = {"font": styles[name], "source": found[name][0]}
    cfg.data.source = next(iter(found.values()))[0]
    return [f"data.source=auto: {told}" for told in dict.fromkeys(told for _, told in found.values())]


def source_of_region(target: str) -> tuple[str, str]:
    """The font of the shelf that draws the forms of the region of a typeface, and what to tell of it.

    All are sans, the kind of source that the base model has learned to read.  Raises: UserError.
    """
    from fontgan.data.region import characters_of, region_of
    from fontgan.data.sources import open_glyphs

    region = region_of(characters_of(open_glyphs(target)))
    return region.source, f"{region.source}, since {target} is {region.name}"


def nearest_of_shelf(targets: list[str]) -> tuple[str, str]:
    """The font of the package's shelf that lies nearest to the styles, and what to tell of it. Raises: DataError."""
    from fontgan.advice.nearest_source import rank_sources
    from fontgan.data.shelf import bundled
    from fontgan.data.sources import open_glyphs

    total: dict[str, float] = {}
    for target in targets:
        for found in rank_sources(open_glyphs(target), bundled()):
            total[str(found.spec)] = total.get(str(found.spec), 0.0) + found.distance
    ranked = sorted(total, key=total.__getitem__)
    others = ", ".join(f"{name} {total[name] / len(targets):.3f}" for name in ranked)
    return ranked[0], f"{ranked[0]} lies nearest ({others})"
