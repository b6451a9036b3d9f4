"""What many tests share: the bundled fonts, fonts made by FontBuilder, the command line, and a tiny training."""

from __future__ import annotations

import copy
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet
from fontTools import subset
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from fontgan.cli import main
from fontgan.runtime.checksums import file_sum, sealed
from fontgan.training.checkpoint import find

FONTS = Path(__file__).parents[1] / "fontgan" / "assets" / "fonts"
SOURCE, KAI, BRUSH, XIAOWEI = (
    FONTS / f"{name}.ttf"
    for name in ("NotoSansSC-Regular", "LXGWWenKai", "MaShanZheng-Regular", "ZCOOLXiaoWei-Regular")
)

# Small enough to train in seconds on a CPU, with every part of the real thing at work.
TINY = (
    "data.size=64",
    "data.charset=的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年",
    "generator.ngf=8",
    "generator.depth=4",
    "trainer.batch_size=4",
    "trainer.max_steps=4",
    "trainer.eval_every=4",
    "trainer.save_every=2",
    "trainer.sheet_chars=2",
    "trainer.device=cpu",
    "optim.warmup_steps=2",
    "data.margin=0",
    "experiment=scratch",
)


def fontgan(*arguments: str, cwd: Path | None = None, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a user would, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "fontgan", *arguments], cwd=cwd, capture_output=True, text=True, timeout=timeout
    )


def fontgan_here(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line in this process, which spares the seconds that a new one needs to import torch."""
    logging.getLogger("fontgan").handlers.clear()  # their stream is that of an earlier command
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = main(arguments)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def error_line(result: subprocess.CompletedProcess[str]) -> str:
    """The one line a failed command ends with; fails if it succeeded or showed a stack trace."""
    assert result.returncode not in (0, None), result.stdout + result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    lines = [line for line in result.stderr.splitlines() if ": error: " in line]
    assert len(lines) == 1, result.stderr
    assert result.stderr.rstrip().endswith(lines[0])
    return lines[0]


def combinations(*axes: Sequence[Any]) -> list[ParameterSet]:
    """Every combination of the axes' values; `make test` has only so many of them that each value is in one."""
    quick = {tuple(axis[index % len(axis)] for axis in axes) for index in range(max(map(len, axes)))}
    return [pytest.param(*values, marks=() if values in quick else pytest.mark.slow) for values in product(*axes)]


Here = Callable[..., subprocess.CompletedProcess[str]]


def reseal(*checkpoints: Path) -> None:
    """Gives edited checkpoints (or all of a run) sums that fit again, as who changes them on purpose would."""
    for folder in checkpoints:
        for description in [folder / "run.json"] if (folder / "run.json").is_file() else folder.rglob("run.json"):
            metadata = json.loads(description.read_text())
            del metadata["sha256"]
            others = sorted(file for file in description.parent.iterdir() if file != description)
            metadata["files"] = {file.name: file_sum(file.read_bytes()) for file in others}
            description.write_text(sealed(metadata))


def described(styles: list[str]) -> dict[str, Any]:
    """The least that a checkpoint says of itself."""
    frame = {"scale": 60.0, "dx": 2.0, "dy": 2.0}
    members = [{"name": name, "canvas": frame, "source": 0, "inputs": [frame]} for name in styles]
    data = {"size": 64, "held_out": "", "trained": "", "sources": [{"name": "source"}], "styles": members}
    return {"styles": styles, "data": data, "pack": "", "minutes": 0.0, "scores": {}}


Draw = Callable[[TTGlyphPen], None]


def box(x0: int, y0: int, x1: int, y1: int) -> Draw:
    """A rectangle in font units."""

    def draw(pen: TTGlyphPen) -> None:
        pen.moveTo((x0, y0))
        pen.lineTo((x0, y1))
        pen.lineTo((x1, y1))
        pen.lineTo((x1, y0))
        pen.closePath()

    return draw


def make_font(path: Path, glyphs: dict[str, Draw | None], *, family: str = "Test", em: int = 1000) -> Path:
    """A TrueType font with the given glyphs (None: empty) and a .notdef box of 100..400."""
    names = {char: f"u{ord(char):04X}" for char in glyphs}
    order = [".notdef", *names.values()]
    drawn = {}
    for name, draw in [(".notdef", box(100, 0, 400, 700)), *((names[c], d) for c, d in glyphs.items())]:
        pen = TTGlyphPen(None)
        if draw is not None:
            draw(pen)
        drawn[name] = pen.glyph()
    builder = FontBuilder(em, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap({ord(char): name for char, name in names.items()})
    builder.setupGlyf(drawn)
    # The left side bearing must be the outline's own, or FreeType moves the outline to it.
    builder.setupHorizontalMetrics({name: (em, getattr(drawn[name], "xMin", 0)) for name in order})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "licenseDescription": "test licence"})
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120)
    builder.setupPost()
    builder.save(path)
    return path


def part_of(font: Path, chars: str, out: Path) -> Path:
    """A real font cut to some characters, as it might have looked before it was finished."""
    opened = TTFont(font)
    cutter = subset.Subsetter(subset.Options(name_IDs=["*"], notdef_outline=True, glyph_names=True))
    cutter.populate(text=chars)
    cutter.subset(opened)
    opened.save(out)
    return out


def open_page(browser: Any, file: Path, width: int = 1280, scheme: str = "light", dots: int = 1) -> Any:
    """Opens a page at a width and in a colour scheme, when its fonts are there; what was logged before is forgotten."""
    size = {"width": width, "height": 900, "deviceScaleFactor": dots, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(file.as_uri())
    browser.execute_async_script("document.fonts.ready.then(arguments[0])")
    return browser


def on_meta(step: Any) -> list[Any]:
    """Copies of a step's networks on torch's meta device."""
    return [
        None if network is None else copy.deepcopy(network).to("meta")
        for network in (step.generator, step.discriminator)
    ]


def two_and_two_steps_are_four(command: Sequence[str], folder: Path) -> None:
    """Trains four steps, and two and two, and compares every weight to the bit."""
    assert fontgan_here(*command, f"out={folder / 'four'}").returncode == 0
    for stop in ("trainer.stop_at=2", "trainer.stop_at=null"):
        assert fontgan_here(*command, f"out={folder / 'two'}", stop).returncode == 0
    four, two = (find(folder / name, "last").folder for name in ("four", "two"))
    files = sorted(file.name for file in four.glob("*.safetensors"))
    assert "generator.safetensors" in files
    for file in files:
        assert (four / file).read_bytes() == (two / file).read_bytes()
