"""HTML files that need nothing else: styles, script and pictures inside, no network, names escaped."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def render_template(page: str, filters: dict[str, Callable[..., Any]], *, style: Markup, **content: Any) -> str:
    """Fills the template of a page. Every text in it is escaped, and its policy lets no style or script work but its
    own."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    environment.filters |= filters | {"spaced": decimal}
    script = asset_text(f"{page}.js")
    hashes = {"style_hash": _policy_hash(style), "script_hash": _policy_hash(script)}
    return environment.get_template(f"{page}.html.j2").render(content, style=style, script=script, **hashes)


def asset_text(name: str) -> Markup:
    """A style sheet or script that lies beside the templates."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8").strip())


def data_uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def decimal(value: float, digits: int = 0) -> str:
    """A number in groups of three digits."""
    text = f"{value:,.{digits}f}"
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")


def _policy_hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
