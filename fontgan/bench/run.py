"""fontgan bench: how fast this machine trains, draws, reads data and makes fonts, as JSON and as a page."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import torch
from omegaconf import DictConfig

from fontgan.bench.page import MADE_BY_US, read_figures, to_markdown
from fontgan.bench.sections import READ_BY, SECTIONS, measure, plain
from fontgan.config.compose import compose_config
from fontgan.config.data_plan import build_plan
from fontgan.config.groups import choices
from fontgan.errors import ConfigError
from fontgan.runtime.device import pick_device, pick_precision
from fontgan.runtime.files import atomic_write, out_file
from fontgan.runtime.log_setup import quiet

log = logging.getLogger(__name__)

WORDS = (*SECTIONS, "all", "page")
# Settings of a training that fontgan bench sets itself, and the key of its own for each.
OWN = {
    "experiment": "training",
    "trainer.batch_size": "batch_size",
    "trainer.precision": "precision",
    "trainer.device": "device",
    "trainer.seed": "seed",
    "trainer.compile": "compile",
}


def run_bench(cfg: DictConfig) -> int:
    """Measures what is asked for, prints it, and writes the figures and the page. Returns: 0."""
    _check(cfg)
    out, page = _files(cfg)
    if cfg.threads:
        torch.set_num_threads(cfg.threads)
    if cfg.what != "page":
        out.parent.mkdir(parents=True, exist_ok=True)
        content = measure(cfg)
        atomic_write(out, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
        log.info("%s: %d figures", out, len(content["figures"]))
    if page is not None:
        found = read_figures(out.parent)
        if not found:
            raise ConfigError(f"out={out}: no figures of fontgan bench lie beside it. Measure first.")
        page.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(page, to_markdown(found, page))
        log.info("%s: %d files of figures", page, len(found))
    return 0


def _check(cfg: DictConfig) -> None:
    """Raises: ConfigError for a word or setting that does not fit."""
    if cfg.what not in WORDS:
        raise ConfigError(f"what={cfg.what}: choose one of {', '.join(WORDS)}.")
    if cfg.training not in choices("experiment"):
        raise ConfigError(f"training={cfg.training}: choose one of {', '.join(choices('experiment'))}.")
    default = compose_config("bench", [])
    for key, sections in READ_BY.items():
        if cfg.what not in ("all", *sections) and cfg[key] != default[key]:
            raise ConfigError(f"{key}={plain(cfg[key])}: what={cfg.what} does not read it. Leave it out.")
    for override in cfg.overrides:
        key = str(override).lstrip("+~").partition("=")[0]
        if key in OWN:
            raise ConfigError(f"overrides: {key} is a setting of fontgan bench itself. Use {OWN[key]}=... instead.")
    compose_config("train", [f"experiment={cfg.training}", *cfg.overrides])
    pick_precision(cfg.precision, pick_device(cfg.device))
    if cfg.fonts is not None:
        if len(cfg.fonts) < 2:
            raise ConfigError(f"fonts={plain(cfg.fonts)}: a source and at least one more font are needed.")
        from fontgan.bench.data import given_fonts

        with quiet():
            build_plan(given_fonts(cfg.fonts))  # what cannot be read is refused before anything is measured


def _files(cfg: DictConfig) -> tuple[Path, Path | None]:
    """The files to write. Raises: ConfigError for a name that does not fit or is taken."""
    out = out_file("out", cfg.out, ".json", make_folder=True)
    if out.is_file() and out not in [file for file, _ in read_figures(out.parent)]:
        raise ConfigError(f"out={out}: is a file that fontgan bench did not make. Name another file.")
    if cfg.page is None:
        if cfg.what == "page":
            raise ConfigError("page: needs a value. Add page=FILE.md.")
        return out, None
    page = out_file("page", cfg.page, ".md", make_folder=True)
    if page.is_file() and not page.read_bytes().startswith(MADE_BY_US.encode()):
        raise ConfigError(f"page={page}: is a page that fontgan bench did not make. Name another file.")
    return out, page
