"""The model card of a run, README.md on the hub: what it draws, how well, how to use it; every figure from the run itself."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fontgan import __version__
from fontgan.config.saved import load_config
from fontgan.data.sources import say_spec
from fontgan.errors import printable
from fontgan.generate.inference import Run
from fontgan.models.cost import parameters
from fontgan.run_folder import settings_to_compare

TAGS = ("fontgan", "font", "typeface", "glyph", "style-transfer")
MAX_ROWS = 24  # styles of a table
Entry = dict[str, Any]


def model_card(
    run: Run,
    styles: Sequence[Entry],
    history: Sequence[Entry],
    *,
    uri: str,
    licence: str,
    named: Mapping[str, Sequence[str]],
    sheet_held_out: bool | None,
) -> str:
    """The card in Markdown, with the front matter that the hub reads.

    Args:
        run: as it is passed on.
        styles: its own ones, as its manifest has them, without those of the base.
        history: as ``public.history`` gives it.
        uri: how others name the run, ``hf://OWNER/NAME``.
        licence: an identifier of the hub.
        named: as ``terms.check_terms`` gives it.
        sheet_held_out: whether the characters of sheet.png were held out; None without a sheet.
    """
    environment = Environment(  # it is Markdown: ``md`` escapes what comes from fonts and names
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters |= {"md": plain_markdown, "figure": _figure}
    metadata, shown = run.checkpoint.metadata, list(styles)[:MAX_ROWS]
    scores = _scores(metadata["scores"], shown or run.manifest["styles"][:MAX_ROWS], history)
    return environment.get_template("card.md.j2").render(
        front_matter=front_matter(licence),
        title=plain_markdown(uri.rpartition("/")[2]),
        version=__version__,
        uri=uri,
        styles=[_style(entry, named.get(entry["name"], ())) for entry in shown],
        styles_said=_say_styles([entry["name"] for entry in styles], len(run.styles) - len(styles)),
        of_base=len(run.styles) - len(styles),
        example=shown[0]["name"] if shown else run.styles[0],
        text=_text(run),
        needs_font=not _everybody_has(run),
        sheet=sheet_held_out is not None,
        sheet_held_out=sheet_held_out,
        scores=scores,
        baselines=any("base_ssim" in row for row in scores),
        more_scores=len(metadata["scores"]) - len(scores),
        held_out=len(run.manifest["held_out"]),
        characters=f"{len(run.manifest['trained']):,}",
        step=f"{run.checkpoint.step:,}",
        facts=_facts(run),
        size=run.size,
        source=", ".join(dict.fromkeys(entry.get("family") or entry["name"] for entry in run.manifest["sources"])),
    )


def front_matter(licence: str) -> str:
    """What the hub knows a model by, as YAML."""
    known = {"library_name": "fontgan", "pipeline_tag": "image-to-image", "license": licence, "tags": list(TAGS)}
    return yaml.safe_dump(known, sort_keys=False)


def plain_markdown(text: object) -> str:
    """Text of a stranger as one line of Markdown that shows as it stands, in a table as well."""
    return re.sub(r"([\\`*_\[\]<>|~$])", r"\\\1", printable(str(text)))


def _say_styles(own: Sequence[str], of_base: int) -> str:
    named = ", ".join(plain_markdown(name) for name in own[:MAX_ROWS])
    others = of_base + max(0, len(own) - MAX_ROWS)
    if not own:
        return f"{others} styles"
    return f"the style{'s' if len(own) > 1 else ''} {named}{f' and {others} more' if others else ''}"


def _everybody_has(run: Run) -> bool:
    specs = [run.drawn_from.source, *run.drawn_from.own.values(), *run.drawn_from.guides]
    flat = [part for spec in specs if spec for part in ([spec] if isinstance(spec, str) else spec)]
    return all(part.startswith(("asset:", "shelf:")) for part in flat)


def _text(run: Run) -> str:
    """Some characters to draw, of those that it knows."""
    known = [char for char in run.manifest["trained"] if char.isalnum()]
    return "永字八法" if "永" in known or not known else "".join(known[:4])


def _style(entry: Entry, named: Sequence[str]) -> Entry:
    of_images = entry.get("kind") == "folder"
    licence = ", ".join(named) or entry.get("licence") or entry.get("licence_url") or "not named"
    told = {key: entry.get(key, "") for key in ("version", "copyright")}
    family = f"{entry.get('images', 0)} images of glyphs" if of_images else entry.get("family") or entry["name"]
    return {"name": entry["name"], "family": family, "licence": "" if of_images else licence, **told}


def _scores(scores: dict[str, Entry], styles: Sequence[Entry], history: Sequence[Entry]) -> list[Entry]:
    baseline: Entry = next((line["styles"] for line in history if line["kind"] == "baseline/copy_source"), {})
    rows = []
    for name in (entry["name"] for entry in styles if entry["name"] in scores):
        base = {f"base_{key}": value for key, value in baseline.get(name, {}).items()}
        rows.append({"name": name, "l1": None, "rmse": None, "base_ssim": None, "base_l1": None} | base | scores[name])
    return rows if any(row["base_ssim"] is not None for row in rows) else [_without_baseline(row) for row in rows]


def _without_baseline(row: Entry) -> Entry:
    return {key: value for key, value in row.items() if not key.startswith("base_")}


def _facts(run: Run) -> list[tuple[str, object]]:
    metadata, config = run.checkpoint.metadata, load_config(run.checkpoint.folder / "config.yaml")
    made_with = metadata.get("made_with", {})
    origin = metadata.get("init_from")
    sources = [spec for spec in (run.drawn_from.source, *run.drawn_from.own.values()) if spec]
    guides = ", ".join(say_spec(spec) for spec in run.drawn_from.guides)
    return [
        ("images", f"{run.size} x {run.size} px"),
        ("parameters", f"{parameters(run.generator) / 1e6:.2f} million"),
        *((key, value) for key, value in settings_to_compare(config).items() if key.startswith("generator.")),
        ("draws from", ", ".join(dict.fromkeys(map(say_spec, sources)))),
        *([("guides", guides)] if guides else []),
        *([("started from", origin["checkpoint"])] if origin else []),
        ("steps", f"{run.checkpoint.step:,} of {config.trainer.batch_size} pairs"),
        ("time of training", f"{metadata['minutes']:.1f} minutes"),
        ("device", made_with.get("device", "unknown")),
        ("made with", ", ".join(f"{key} {value}" for key, value in made_with.items() if key != "device")),
    ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
