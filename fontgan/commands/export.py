"""fontgan export: a trained generator for other programs, or as a page that draws in the visitor's browser."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontgan.config.schema import MISSING, limited
from fontgan.errors import ConfigError

log = logging.getLogger(__name__)

ORDER = 35
SUMMARY = "write a trained generator as an ONNX file, or as a page that draws in a browser"
EXAMPLES = (
    "fontgan export run=runs/quickstart out=model.onnx",
    "fontgan export run=base page=site",
    "fontgan infer checkpoint=model.onnx text=永字八法 out=DIR style=kai",
)
OF_A_PAGE = ("font", "chars")


@dataclass
class Config:
    run: str = MISSING
    which: str = MISSING
    out: str | None = MISSING
    page: str | None = MISSING
    precision: str = limited(choices=("fp32", "fp16"))
    style: str = limited(choices=("weights", "references"))
    licence: str | None = MISSING
    font: Any = MISSING
    chars: str | None = MISSING
    confirm_ownership: bool = MISSING
    overwrite: bool = MISSING
    plugins: list[str] = MISSING


def main(cfg: Config) -> int:
    """Writes the file, the page, or both. Returns: 0."""
    from fontgan.base import BASE, NOTICE
    from fontgan.config.instantiate import source_spec
    from fontgan.export.metadata import licence_note
    from fontgan.export.model import check_packages, export_model
    from fontgan.export.page import page_folder, write_page
    from fontgan.generate.inference import load
    from fontgan.runtime.files import atomic_write, out_file

    check_settings(cfg)
    out = None if cfg.out is None else out_file("out", cfg.out, ".onnx", overwrite=cfg.overwrite)
    page = None if cfg.page is None else page_folder(cfg.page, overwrite=cfg.overwrite)
    check_packages()
    font, chars = source_spec(cfg.font, "font"), _chars(cfg.chars)
    run = load(cfg.run, which=cfg.which, device="cpu", precision="fp32", plugins=cfg.plugins, key="run")
    licence = cfg.licence or (NOTICE.read_text(encoding="utf-8") if cfg.run == BASE else licence_note(run))
    if out is not None:
        made = export_model(run, precision=cfg.precision, references=cfg.style == "references", licence=licence)
        atomic_write(out, made.data)
        told = "%s: %.1f MB, %s; onnxruntime draws as torch does, to %d of 255 grey levels at most, %.2g on average"
        log.info(told, out, len(made.data) / 1e6, cfg.precision, made.most, made.mean)
    if page is not None:
        size = write_page(
            run, page, title=_title(cfg.run), font=font, chars=chars, licence=licence,
            confirm_ownership=cfg.confirm_ownership,
        )  # fmt: skip
        log.info(
            "%s: a page of %.1f MB; open %s, or put the folder on a web server", page, size / 1e6, page / "index.html"
        )
    return 0


def check_settings(cfg: Config) -> None:
    """Raises: ConfigError for settings that contradict each other or would be ignored."""
    if cfg.out is None and cfg.page is None:
        raise ConfigError("out: what to write? Add out=model.onnx, or page=DIR.")
    if cfg.page is None:
        for key in OF_A_PAGE:
            if (value := getattr(cfg, key)) is not None:
                raise ConfigError(
                    f"{key}={value}: belongs to a page, which is not asked for. Add page=DIR, or leave it out."
                )
    if cfg.out is None:
        for key, usual in (("precision", "fp32"), ("style", "weights")):
            if (value := getattr(cfg, key)) != usual:
                raise ConfigError(f"{key}={value}: belongs to an ONNX file. Add out=model.onnx, or leave it out.")


def _chars(asked: str | None) -> list[str] | None:
    from fontgan.data.charset import resolve

    return None if asked is None else resolve(asked, "chars")


def _title(run: str) -> str:
    return Path(run).resolve().name
