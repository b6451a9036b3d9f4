"""What an exported file says of itself, so that it can be used without the run that it came from.

An ONNX file holds texts by name. These are for everybody:

    styles    JSON: the names, in the order of the weights that the graph takes
    size      pixels a side of what it takes and gives
    frames    JSON: of each style {scale, dx, dy}: em square (0 to 1, y down) -> pixels, x -> scale * x + dx
    licence   which fonts it learned from and draws from, and their licences
    made_by   fontgan and its version

and these for ``fontgan infer``: ``fontgan``, JSON of ``Stored``, and for a network with guides ``fontgan_encoder``, a second
ONNX graph in base64, which tells whether a guide has another form of a character than the source.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, to_builtins

from fontgan import __version__
from fontgan.data.manifest import Manifest
from fontgan.data.sources import Spec
from fontgan.errors import RunError
from fontgan.generate.run import BaseRun
from fontgan.untrusted.plain_json import Share, Text, convert

FORMAT = 1
_OF_A_MEMBER = ("name", "family", "copyright", "licence", "licence_url", "median_ink_box", "to_cell")
_OF_A_STYLE = (*_OF_A_MEMBER, "canvas", "source", "inputs", "limits", "preferred", "view", "beyond_em")
StoredSpec = str | list[str]


class Stored(Struct, frozen=True, forbid_unknown_fields=True):
    """The schema of what ``fontgan infer`` reads."""

    format: int
    manifest: Manifest
    trained_styles: list[Text]
    source: StoredSpec | None
    own: dict[str, StoredSpec]  # style -> its own source
    guides: list[StoredSpec]
    align: bool
    margin: Share


def describe(run: BaseRun, *, licence: str, encoder: bytes | None) -> dict[str, str]:
    """The texts of a run's file. ``encoder``: the second graph, for a network with guides."""
    manifest = {
        "size": run.size,
        "held_out": "",
        "trained": "",
        "sources": [_only(entry, _OF_A_MEMBER) for entry in run.manifest["sources"]],
        "guides": [_only(entry, _OF_A_MEMBER) for entry in run.manifest["guides"]],
        "styles": [_only(entry, _OF_A_STYLE) for entry in run.manifest["styles"]],
    }
    stored = {
        "format": FORMAT,
        "manifest": manifest,
        "trained_styles": run.trained_styles,
        "source": _plain(run.drawn_from.source),
        "own": {name: _plain(spec) for name, spec in run.drawn_from.own.items()},
        "guides": [_plain(spec) for spec in run.drawn_from.guides],
        "align": run.align,
        "margin": run.margin,
    }
    said = {
        "styles": as_json(run.styles),
        "size": str(run.size),
        "frames": as_json({name: frame.as_dict() for name, frame in run.canvases.items()}),
        "licence": licence,
        "made_by": f"fontgan {__version__}",
        "fontgan": as_json(stored),
    }
    return said if encoder is None else said | {"fontgan_encoder": base64.b64encode(encoder).decode()}


def read(said: Mapping[str, str], where: object) -> tuple[Stored, dict[str, Any], bytes | None]:
    """What ``describe`` gave, as a file has it: it, its manifest as JSON, and the second graph. Raises: RunError."""
    try:
        if "fontgan" not in said:
            raise ValueError("it says nothing of a run")
        plain = json.loads(said["fontgan"])
        stored = convert(plain, Stored, version=FORMAT)
        encoder = base64.b64decode(said["fontgan_encoder"], validate=True) if "fontgan_encoder" in said else None
        names = [style.name for style in stored.manifest.styles]
        if (
            len(stored.guides) != len(stored.manifest.guides)
            or not names
            or not set(stored.trained_styles) <= set(names)
        ):
            raise ValueError("its styles and guides contradict each other")
        if stored.guides and encoder is None:
            raise ValueError("it lacks the graph that compares guides")
    except (ValueError, RecursionError, binascii.Error) as error:
        raise RunError(f"{where}: is no ONNX file of fontgan export ({error}). Export the run again.") from error
    return stored, to_builtins(stored.manifest), encoder


def licence_note(run: BaseRun) -> str:
    """One line for each licence that the run's fonts name, and the fonts that do."""
    by_licence: dict[str, list[str]] = {}
    for kind in ("styles", "sources", "guides"):
        for entry in run.manifest[kind]:
            said = next(
                filter(None, (entry.get(key) for key in ("licence_url", "licence", "copyright"))), "no licence named"
            )
            terms = " ".join(said.split())[:200]
            name = entry.get("family") or entry["name"]
            by_licence.setdefault(terms, []).append(name)
    lines = (f"{terms}: {', '.join(dict.fromkeys(names))}" for terms, names in by_licence.items())
    return "Learned from, or draws from, fonts under these licences.\n" + "\n".join(lines)


def as_json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _only(entry: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: entry[key] for key in keys if key in entry}


def _plain(spec: Spec | None) -> StoredSpec | None:
    return spec if spec is None or isinstance(spec, str) else list(spec)
