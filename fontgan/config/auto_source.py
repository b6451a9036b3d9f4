"""``data.source=auto``: the font of the shelf that lies nearest to the styles."""

from typing import TYPE_CHECKING

from fontgan.config.instantiate import target_specs
from fontgan.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig

AUTO = "auto"


def resolve_auto_source(cfg: "DictConfig") -> list[str]:
    """Puts a font of the package's shelf where the source is auto. Returns: what to tell. Raises: UserError."""
    if "data" not in cfg or cfg.data.source != AUTO:
        return []
    styles = {name: target.spec for name, target in target_specs(cfg).items() if not target.source}
    if not styles:
        raise ConfigError(
            "data.source=auto: is chosen by the styles, and none needs it. Name data.targets, or a source."
        )
    cfg.data.source, told = nearest_of_shelf(list(styles.values()))
    return [f"data.source=auto: {told}"]


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
