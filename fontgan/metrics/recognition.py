"""Legibility: whether OCR that others made, for other purposes, reads a glyph as its character.

It is PP-OCR's recognition model as RapidOCR ships it inside its package (the extra ``ocr``); the lines it was made to
read are single glyphs here.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fontgan.errors import ConfigError
from fontgan.extras import how_to_install
from fontgan.runtime.progress import Bar

CHOICES = ("auto", "rapidocr", "none")


def find_ocr(choice: str) -> OcrReader | None:
    """The OCR asked for, or None. Raises: ConfigError for an unknown name, or one that is not installed."""
    if choice not in CHOICES:
        raise ConfigError(f"ocr={choice}: choose one of {', '.join(CHOICES)}.")
    installed = all(importlib.util.find_spec(name) is not None for name in ("rapidocr", "onnxruntime"))
    there = installed and (choice == "rapidocr" or packaged_model() is not None)
    if choice == "rapidocr" and not there:
        raise ConfigError(f"ocr=rapidocr: is not installed. Run {how_to_install('ocr')}; or use ocr=none.")
    return _rapidocr() if there and choice != "none" else None


def packaged_model() -> Path | None:
    """The recognition model that came inside rapidocr's package; what other programs have put beside it does not count."""
    files = importlib.metadata.files("rapidocr") or []
    return next((Path(str(file.locate())) for file in files if file.match("*_rec_*.onnx")), None)


class OcrReader:
    """Reads one glyph at a time."""

    def __init__(self) -> None:
        """Raises: ConfigError if the package lacks its model: nothing is downloaded."""
        import onnxruntime
        import rapidocr

        version = importlib.metadata.version("rapidocr")
        model = packaged_model()
        if model is None:
            raise ConfigError(
                f"ocr: rapidocr {version} came without a recognition model, and none is downloaded. "
                "Install a version that ships one (3.10 does), or use ocr=none."
            )
        self.name = f"rapidocr {version}, {model.stem}"
        self._engine = rapidocr.RapidOCR(
            params={
                "Global.log_level": "warning",
                "Global.use_det": False,
                "Global.use_cls": False,
                "Global.text_score": 0.0,
                "EngineConfig.onnxruntime.intra_op_num_threads": torch.get_num_threads(),
                "Rec.model_path": str(model),
                # Of 48 px, and as wide as high: the 320 px of a text line would be nine parts padding.
                "Rec.rec_img_shape": [3, 48, 48],
            }
        )
        facts = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"]).get_modelmeta()
        self.knows = set(facts.custom_metadata_map["character"].splitlines())

    def read(self, glyphs: np.ndarray) -> list[tuple[str, float]]:
        """(N, H, W) uint8, 0 ink .. 255 paper -> text and confidence (0 to 1) of each; equal glyphs are read once."""
        unique = {glyph.tobytes(): glyph for glyph in glyphs}
        found = {}
        for key, glyph in Bar(unique.items(), desc="reading", unit="glyph", leave=False):
            result: Any = self._engine(np.repeat(glyph[..., None], 3, axis=2))
            found[key] = (result.txts[0], float(result.scores[0])) if result.txts else ("", 0.0)
        return [found[glyph.tobytes()] for glyph in glyphs]


_rapidocr = cache(OcrReader)


def weighted(read: Sequence[tuple[str, float]], chars: Sequence[str], knows: set[str]) -> np.ndarray:
    """(N,) confidence, 0 to 1, where the right character was read, 0 where another; NaN for what OCR cannot know."""
    right = [sure if text.strip() == char else 0.0 for (text, sure), char in zip(read, chars, strict=True)]
    return np.where([char in knows for char in chars], right, np.nan)
