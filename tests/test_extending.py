"""docs/reference/extending.md: what it shows is run as it stands, in a clone."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from omegaconf import OmegaConf
from safetensors import safe_open

from tests.helpers import TINY

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "extending.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
QUICK_REPORT = ("ocr=none", "rates=false", "replicates=100", "device=cpu")


def test_the_example_has_fewer_than_thirty_lines() -> None:
    assert [language for language, _ in BLOCKS] == ["python", "yaml", "sh"]
    assert 10 < sum(bool(line.strip()) for _, text in BLOCKS for line in text.splitlines()) < 30


def test_the_example_trains_and_is_compared(tmp_path: Path) -> None:
    """Its files are put into a copy of the package, its commands run there with a smaller training appended."""
    shutil.copytree(ROOT / "fontgan", tmp_path / "fontgan", ignore=shutil.ignore_patterns("__pycache__", "configs"))
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    commands = []
    for language, text in BLOCKS:
        if language == "sh":
            commands = [shlex.split(line) for line in text.splitlines()]
        else:
            name = re.match(r"# (\S+)\n", text)
            assert name is not None, text
            assert not (tmp_path / name[1]).exists()
            (tmp_path / name[1]).write_text(text, encoding="utf-8")
    assert [command[1] for command in commands] == ["train", "train", "report"]
    for command in commands:
        assert command[0] == "fontgan"
        shorter = QUICK_REPORT if command[1] == "report" else TINY
        result = subprocess.run(
            [sys.executable, "-m", "fontgan", *command[1:], *shorter], cwd=tmp_path, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr

    saved = OmegaConf.load(tmp_path / "runs" / "strokes" / "config.yaml").generator.up.refine
    assert saved._target_ == "fontgan.models.strokes.StrokeRefine"
    across = set()
    for file in (tmp_path / "runs" / "strokes").rglob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            names = [name for name in opened.keys() if name.endswith("refine.across.weight")]  # noqa: SIM118
            across |= {tuple(opened.get_tensor(name).shape[-2:]) for name in names}
    assert across == {(1, 7)}  # generator.up.refine.reach=7
    assert len(list((tmp_path / "runs" / "compare").glob("*/config.yaml"))) == 2
    assert "strokes" in (tmp_path / "compare.csv").read_text(encoding="utf-8")
