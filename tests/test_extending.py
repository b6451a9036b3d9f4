"""docs/reference/extending.md: every part that it shows, written into a copy of the package, trains and passes its tests."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from safetensors import safe_open

from tests.helpers import TINY

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "extending.md").read_text(encoding="utf-8")
for others in ("## A logger", "## A part in your own package"):  # which tests/loggers and tests/config tell of
    PAGE = PAGE.partition(others)[0]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
QUICK_REPORT = ("ocr=none", "rates=false", "replicates=100", "device=cpu")
KINDS = ("resize", "fusion", "refine", "attention", "style", "norm", "discriminator")
ENUMERATING = ("tests/models/test_models.py", "tests/models/test_fuse_bn.py", "tests/report/test_blocks.py")


def parts() -> dict[str, tuple[Path, Path]]:
    """The page's parts in fontgan itself: kind -> the file of the class and that of the config, in that order."""
    files = [Path(found[1]) for _, text in BLOCKS if (found := re.match(r"# (\S+/\S+)\n", text))]
    pairs = pairwise(files)
    return {
        config.parent.name: (code, config)
        for code, config in pairs
        if code.parent == Path("fontgan/models") and config.suffix == ".yaml"
    }


PARTS = parts()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and its tests, with the files that the page shows, and nothing else changed."""
    root = tmp_path_factory.mktemp("extending")
    shutil.copytree(ROOT / "fontgan", root / "fontgan", ignore=shutil.ignore_patterns("__pycache__", "configs"))
    for folder in ("configs", "tests"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "golden"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for _, text in BLOCKS:
        found = re.match(r"# (\S+)\n", text)
        if found and Path(found[1]) in {file for pair in PARTS.values() for file in pair}:
            assert not (root / found[1]).exists(), found[1]
            (root / found[1]).write_text(text, encoding="utf-8")
    return root


def files(root: Path) -> dict[Path, int]:
    """What a package and its tests consist of, with sizes in bytes."""
    found = (file for folder in ("fontgan", "configs", "tests") for file in (root / folder).rglob("*"))
    left_out = {"__pycache__", "golden"}
    return {
        file.relative_to(root): file.stat().st_size
        for file in found
        if file.is_file() and not left_out & set(file.parts)
    }


def test_a_part_of_each_kind_is_two_files(copy: Path) -> None:
    assert set(PARTS) == set(KINDS)
    assert all(code != config for code, config in PARTS.values())
    before, after = files(ROOT), files(copy)
    assert set(after) - set(before) == {file for pair in PARTS.values() for file in pair}
    assert {file: after[file] for file in before} == before


@pytest.mark.slow
def test_the_first_example_has_fewer_than_thirty_lines() -> None:
    assert [language for language, _ in BLOCKS[:3]] == ["python", "yaml", "sh"]
    assert 10 < sum(bool(line.strip()) for _, text in BLOCKS[:3] for line in text.splitlines()) < 30


@pytest.mark.slow
def test_each_part_passes_the_tests_that_enumerate_parts(copy: Path) -> None:
    """Those of the new variants alone; of the products with other parts one each."""
    names = {kind: config.stem for kind, (_, config) in PARTS.items()}
    chosen = (
        f"({' or '.join(names.values())}) "
        f"and (not every_combination_of_parts or ({names['resize']} and {names['fusion']})) "
        f"and (not every_preset_trains or gated_dysample) and (not every_preset_with or hybrid)"
    )
    result = subprocess.run(
        [sys.executable, "-m", "pytest", *ENUMERATING, "-k", chosen, "-n", "0", "-vv", "-p", "no:cacheprovider"],
        cwd=copy, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(copy)},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr
    passed = re.findall(r"::(\w+)\[(.*)\] PASSED", result.stdout)
    for kind, name in names.items():
        assert len({test for test, case in passed if name in case}) >= (1 if kind == "discriminator" else 2), kind


@pytest.mark.slow
def test_the_first_example_trains_and_is_compared(copy: Path) -> None:
    """The commands of the page, with a smaller training appended."""
    commands = [shlex.split(line) for line in BLOCKS[2][1].splitlines()]
    assert [command[:2] for command in commands] == [["fontgan", verb] for verb in ("train", "train", "report")]
    for command in commands:
        shorter = QUICK_REPORT if command[1] == "report" else TINY
        result = subprocess.run(
            [sys.executable, "-m", "fontgan", *command[1:], *shorter], cwd=copy, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr

    saved = OmegaConf.load(copy / "runs" / "strokes" / "config.yaml").generator.up.refine
    assert saved._target_ == "fontgan.models.strokes.StrokeRefine"
    across = set()
    for file in (copy / "runs" / "strokes").rglob("*.safetensors"):
        with safe_open(file, "pt") as opened:
            names = [name for name in opened.keys() if name.endswith("refine.across.weight")]  # noqa: SIM118
            across |= {tuple(opened.get_tensor(name).shape[-2:]) for name in names}
    assert across == {(1, 7)}  # generator.up.refine.reach=7
    assert len(list((copy / "runs" / "compare").glob("*/config.yaml"))) == 2
    assert "strokes" in (copy / "compare.csv").read_text(encoding="utf-8")
