"""HTML files that need nothing else: styles and script inside, no network, names escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def render_template(
    name: str, filters: Mapping[str, Callable[..., Any]], *, style: Markup, script: Markup, **content: Any
) -> str:
    """Fills a template. Every text in it is escaped, and its policy lets no style or script work but its own."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    environment.filters |= filters
    return environment.get_template(name).render(
        content, style=style, script=script, style_hash=_policy_hash(style), script_hash=_policy_hash(script)
    )


def asset_text(name: str) -> Markup:
    """A style sheet or script that lies beside the templates."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8").strip())


def spaced(value: int) -> str:
    """A whole number in groups of three digits."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _policy_hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
