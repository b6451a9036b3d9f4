"""What would make most of a result useless is refused before the work, unless ``allow=`` names its kind."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from fontgan.errors import DataError

if TYPE_CHECKING:
    from fontgan.data.glyphs import Diagnostic

log = logging.getLogger(__name__)

LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "note": logging.INFO}
# Kinds of what may be allowed.  docs/guide/data.md says of each what it is.
KINDS = ("clipped", "lacking", "blank", "unreadable", "unnamed", "alike", "odd_size", "few")


def is_most(count: int, of: int) -> bool:
    """The rule for all kinds: more than half."""
    return 2 * count > of


def judge(findings: "Iterable[Diagnostic]", allow: Collection[str]) -> "list[Diagnostic]":
    """What makes most of the result useless becomes an error, unless its kind is allowed."""
    judged = []
    for found in findings:
        if found.kind and found.kind not in allow:
            remedy = f"{found.remedy} To go on all the same: allow=[{found.kind}].".strip()
            found = replace(found, level="error", remedy=remedy)
        judged.append(replace(found, kind=""))
    return judged


def tell(findings: "Iterable[Diagnostic]", allow: Collection[str] = ()) -> bool:
    """Logs findings on what is done already. Returns: whether none is an error."""
    judged = judge(findings, allow)
    for found in judged:
        log.log(LEVELS[found.level], "%s", found)
    return not any(found.level == "error" for found in judged)


def tell_or_refuse(findings: "Iterable[Diagnostic]", allow: Collection[str] = ()) -> None:
    """Logs findings on what is to be done. Raises: DataError with the first error among them."""
    judged = judge(findings, allow)
    errors = [found for found in judged if found.level == "error"]
    tell(found for found in judged if found not in errors[:1])
    if errors:
        raise DataError(f"{errors[0].message} {errors[0].remedy}")
