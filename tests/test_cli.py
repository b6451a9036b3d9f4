"""The command line: help, speed of its start, verbs, check, and one-line errors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from fontgan.cli import main
from fontgan.config.groups import choices, config_folder
from fontgan.config.verbs import file_name, verbs
from tests.helpers import BRUSH, FONTS, KAI, SOURCE, TINY, error_line, fontgan, fontgan_here

ROOT = Path(__file__).parents[1]


def test_help_lists_the_verbs_and_does_not_import_torch() -> None:
    code = "import sys; from fontgan.cli import main; main(['--help']); assert 'torch' not in sys.modules; assert 'hydra' not in sys.modules"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert all(verb in result.stdout for verb in verbs())


@pytest.mark.parametrize("verb", verbs())
def test_each_verb_has_help_limits_and_a_config(verb: str) -> None:
    result = fontgan(*verb.split(), "--help")
    assert result.returncode == 0
    assert verbs()[verb].EXAMPLES[0] in result.stdout
    keys = {key.name for key in fields(verbs()[verb].Config)}
    written = OmegaConf.load(config_folder() / f"{file_name(verb)}.yaml")
    assert set(written) - {"defaults", "hydra"} <= keys


def test_composing_a_config_without_parts_does_not_import_torch() -> None:
    code = (
        "import sys; from fontgan.config.compose import compose_config; "
        "compose_config('infer', ['checkpoint=a', 'out=b']); compose_config('scan', ['pages=a', 'out=b']); "
        "assert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


GREET = '''"""fontgan greet-font: says hello."""

from dataclasses import dataclass

from fontgan.config.schema import MISSING, limited

SUMMARY = "say hello to a font"
EXAMPLES = ("fontgan greet-font font=A.ttf times=3",)


@dataclass
class Config:
    font: str = MISSING
    times: int = limited(1, 9)


def main(cfg):
    print("hello " * cfg.times + cfg.font)
    return 0
'''


def test_a_verb_is_two_files(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "fontgan", tmp_path / "fontgan", ignore=shutil.ignore_patterns("assets", "__pycache__"))
    shutil.copytree(config_folder(), tmp_path / "configs")
    (tmp_path / "fontgan" / "commands" / "greet_font.py").write_text(GREET)
    (tmp_path / "configs" / "greet_font.yaml").write_text("font: ???  # the font\ntimes: 2   # how often\n")

    def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fontgan", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": ""}, capture_output=True, text=True
        )

    assert "greet-font    say hello to a font" in typed("--help").stdout
    assert typed("greet-font", "font=A.ttf").stdout == "hello hello A.ttf\n"
    told = typed("greet-font", "--help").stdout
    assert "fontgan greet-font font=A.ttf times=3" in told
    assert "times: 2   # how often" in told
    assert "fount: no such config key. Did you mean font?" in error_line(typed("greet-font", "font=A", "+fount=B"))
    assert "times=10: 1 or more and 9 at most is needed." in error_line(typed("greet-font", "font=A", "times=10"))


def test_train_help_names_every_variant() -> None:
    text = fontgan_here("train", "--help").stdout
    for group in ("generator/up", "generator/style", "experiment", "loss"):
        for name in choices(group):
            assert name in text


@pytest.mark.parametrize("verb", ["train", "infer", "evaluate"])
def test_a_script_does_as_its_verb(verb: str) -> None:
    script = subprocess.run([sys.executable, f"scripts/{verb}.py", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert script.stdout.startswith(f"fontgan {verb}: ")


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.py")), ids=lambda script: script.name)
def test_a_script_says_in_one_line_what_is_not_installed(script: Path, tmp_path: Path) -> None:
    bare = [sys.executable, "-I", "-S"]  # as a fresh Python, which has none of the packages
    result = subprocess.run([*bare, str(script)], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode not in (0, None)
    assert re.fullmatch(r"\S+: \w+ is not installed in .*make install.*pip install \.\n", result.stderr), result.stderr


def test_an_old_python_is_told_in_one_line() -> None:
    code = f"import sys; sys.version_info = (3, 9); sys.path.insert(0, {str(ROOT)!r}); import fontgan"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 1
    assert re.fullmatch(r"fontgan: needs Python 3.11 or newer, and .*\n", result.stderr)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fly"], "no such command"),
        (["train", "--fast"], "no such flag"),
        (["train", "fast"], "key=value"),
        (["infer", "-m"], "only fontgan train"),
        (["report", "walls"], "walls: settings are written key=value"),
        (["report", "blocks", "small"], "fontgan report blocks: small: settings are written key=value"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str) -> None:
    result = fontgan(*arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_cfg_prints_the_config_as_it_would_be_used() -> None:
    result = fontgan_here("train", "--cfg", "experiment=zi2zi_classic", "generator.ngf=16")
    assert result.returncode == 0
    assert "ngf: 16" in result.stdout
    assert "max_steps: 50000" in result.stdout


def test_check_is_clean_on_the_bundled_fonts() -> None:
    result = fontgan_here("check")
    assert result.returncode == 0, result.stderr
    assert "1000 characters" in result.stdout
    assert "0 errors, 0 warnings: ready to train." in result.stdout


def folder(path: Path, chars: str, *, invert: str = "", blank: str = "", same: str = "") -> Path:
    path.mkdir(parents=True)
    for number, char in enumerate(chars):
        grey = np.full((60, 60), 255, np.uint8)
        if char not in blank:
            grey[10 : 20 + (0 if char in same else number), 8:40] = 0
        Image.fromarray(255 - grey if char in invert else grey).save(path / f"{char}.png")
    return path


def test_check_finds_planted_faults_each_with_its_remedy(tmp_path: Path) -> None:
    source = folder(tmp_path / "source", "一二三四五六七八九十")
    mine = folder(tmp_path / "mine", "一二三四五六七", invert="三", blank="四", same="五六")
    (mine / "IMG_0001.png").write_bytes((mine / "一.png").read_bytes())
    (mine / "八.png").write_bytes(b"not an image")
    other = folder(tmp_path / "other", "甲乙丙")
    result = fontgan_here(
        "check", "data=folder", f"data.source={source}", f"data.targets={{mine: {mine}, other: {other}}}"
    )
    assert result.returncode == 1
    for planted in (
        "IMG_0001.png",
        "八.png",
        "hold no ink",
        "三.png",
        "五=六",
        "shares no characters",
        "aligned to the source by scale",
    ):
        assert planted in result.stderr, planted
    assert "1 errors" in result.stdout
    levels = [
        line.split(":")[0] for line in result.stderr.splitlines() if line.startswith(("error", "warning", "note"))
    ]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["data=fonts"], "data.source: needs a font"),
        (["data=fonts", f"data.source={SOURCE}"], "data.targets: needs at least one style"),
        (["data.source=none.ttf"], "no such font file or glyph folder"),
        (["data.source=text.ttf"], "not a font that can be read"),
        (["data.source=zero.ttf"], "not a font that can be read"),
        (["data=folder", "data.source=empty", "data.targets=[empty]"], "holds no images"),
        (["data.charset=kana"], "has none of the characters"),
        (["data.charset=gb2312-9"], "no set of that name"),
        (["data.size=100"], "choose one of 64, 96, 128"),
        (["data.margin=0.4"], "data.margin"),
        (["data.holdout=1.5"], "data.holdout"),
        (["data.source=asset:None.ttf"], "no bundled font"),
        (["data.targets=[none.ttf]"], "none.ttf"),
    ],
)
def test_bad_data_gets_one_line_from_check_and_train(
    arguments: list[str], says: str, tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.ttf").write_text("hello")
    (tmp_path / "zero.ttf").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for verb in ("check", "train"):
        assert says in refused(verb, *arguments)
    assert sorted(os.listdir(tmp_path)) == ["empty", "text.ttf", "zero.ttf"]


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trainer.batch_size=0"], "trainer.batch_size=0: 1 or more"),
        (["trainer.ema_decay=1"], "trainer.ema_decay"),
        (["trainer.compile=maybe"], "auto, true, false"),
        (["trainer.precision=fp8"], "auto, bf16, fp32"),
        (["trainer.device=tpu"], "auto, cpu, cuda"),
        (["trainer.max_minutes=0"], "more than 0"),
        (["discriminator=none"], "discriminator=none, but loss.adversarial.weight"),
        (["loss=ink"], "would never be used"),
        (["loss=zi2zi"], "discriminator.head=category"),
        (["data.augment.strength=-1"], "0 or more"),
        (["optim.algorithm.betas=[2,3]"], "optim.algorithm"),
    ],
)
def test_bad_settings_get_one_line(
    arguments: list[str], says: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    assert says in refused("train", *TINY, *arguments, f"out={tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


def test_an_error_in_a_process_of_its_own() -> None:
    assert "no such variant" in error_line(fontgan("train", "generator/up=nope"))


def test_render_reports_and_refuses(tmp_path: Path, refused: Callable[..., str]) -> None:
    out = tmp_path / "g"
    assert main(["render", f"font={KAI}", f"out={out}", "charset=永一", "size=64"]) == 0
    assert "results of another fingerprint" in refused(
        "render", f"font={BRUSH}", f"out={out}", "charset=永一", "size=64"
    )
    assert "has none of the characters" in refused("render", f"font={KAI}", f"out={tmp_path / 'h'}", "charset=hangul")
    assert "choose one of" in refused("render", f"font={KAI}", f"out={tmp_path / 'h'}", "size=50")
    assert not (tmp_path / "h").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_place_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "may not" in error_line(fontgan_here("train", *TINY, f"out={tmp_path / 'run'}"))


def test_fonts_carry_their_licences() -> None:
    fonts = sorted(FONTS.glob("*.ttf"))
    assert len(fonts) == 4
    for font in fonts:
        licences = [p for p in FONTS.glob("*.LICENSE.txt") if p.name.startswith(font.stem)]
        assert licences, font
        assert "SIL OPEN FONT LICENSE" in licences[0].read_text(encoding="utf-8").upper()
