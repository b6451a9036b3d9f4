"""Which fonts a guide is read from: of a list in an experiment or a run that is started from, those on this machine."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

if TYPE_CHECKING:
    from omegaconf import DictConfig


def leave_out_unfetched(cfg: "DictConfig", typed: Iterable[str]) -> None:
    """Takes fonts of the shelf that are not fetched out of lists that have others; what was typed stays as it is."""
    if "data" not in cfg or any(key.lstrip("+~") == "data.guides" for key in typed):
        return
    if any(map(OmegaConf.is_list, cfg.data.guides)):
        cfg.data.guides = [_here(guide) for guide in cfg.data.guides]


def _here(guide: Any) -> Any:
    from fontgan.data.shelf import is_fetched

    if not OmegaConf.is_list(guide):
        return guide
    there = [font for font in guide if not _of_shelf(font) or is_fetched(font)] or list(guide)
    return there[0] if len(there) == 1 else there


def go_on_with_guides(cfg: "DictConfig", begun: "DictConfig | None") -> None:
    """Takes the guides of the run that is resumed, where all that differs is which fonts of the shelf were here."""
    if begun is None or len(begun.data.guides) != len(cfg.data.guides):
        return
    if all(_only_fetched(*guides) for guides in zip(begun.data.guides, cfg.data.guides, strict=True)):
        cfg.data.guides = begun.data.guides


def _only_fetched(one: Any, other: Any) -> bool:
    fonts, others = (set(map(str, guide)) if OmegaConf.is_list(guide) else {str(guide)} for guide in (one, other))
    return (fonts <= others or others <= fonts) and all(map(_of_shelf, fonts ^ others))


def _of_shelf(font: Any) -> bool:
    return str(font).startswith("shelf:")
