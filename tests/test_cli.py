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
from fontgan.config.comments import keys
from fontgan.config.groups import choices, config_folder, file_of, groups
from fontgan.config.help import list_settings
from fontgan.config.verbs import file_name, verbs
from tests.helpers import BRUSH, FONTS, KAI, SOURCE, TINY, error_line, fontgan, fontgan_here

ROOT = Path(__file__).parents[1]


def test_help_lists_the_verbs_and_does_not_import_torch() -> None:
    code = "import sys; from fontgan.cli import main; main(['--help']); assert not {'torch', 'hydra', 'numpy', 'fontTools'} & set(sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert all(verb in result.stdout for verb in verbs())


def test_help_answers_within_half_a_second() -> None:
    """Of the processor's time, since a busy machine makes everything wait."""
    resource = pytest.importorskip("resource")  # not on Windows

    def seconds() -> float:
        return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])

    taken = []
    for _ in range(3):
        before = seconds()
        assert fontgan("--help").returncode == 0
        taken.append(seconds() - before)
    assert min(taken) < 0.5, taken


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
    assert "times=2   # how often" in told
    assert "fount: no such config key. Did you mean font?" in error_line(typed("greet-font", "font=A", "+fount=B"))
    assert "times=10: 1 or more and 9 at most is needed." in error_line(typed("greet-font", "font=A", "times=10"))


GROUPS = [group for group in groups() if group != "effort"]  # which complete and fewshot have


def test_train_help_names_every_variant() -> None:
    lines = fontgan_here("train", "--help").stdout.partition("settings:")[0].splitlines()
    for group in GROUPS:
        (line,) = [line for line in lines if line.startswith(f"  {group} ")]
        assert line.split(maxsplit=1)[1] == ", ".join(choices(group))


VARIANTS = [(group, name) for group in GROUPS for name in choices(group)]
SETTING = re.compile(r"  ([\w.]+)(=.*?)?(?: +# (.+))?")


@pytest.mark.thinned(8)
@pytest.mark.parametrize(("group", "name"), VARIANTS, ids=map("=".join, VARIANTS))
def test_help_shows_each_setting_of_a_chosen_part_with_its_meaning(group: str, name: str) -> None:
    lines = list_settings("train", [f"{group}={name}"], sweep=group in ("launcher", "sweep")).splitlines()
    at = lines.index(f"{group}={name}:")
    section = lines[at + 1 : lines.index("", at) if "" in lines[at:] else None]
    shown = {match[1]: match[3] for line in section if (match := SETTING.fullmatch(line))}
    assert all(shown.values()), shown
    path = file_of(f"{group}/{name}")
    assert path is not None
    text, place = path.read_text(encoding="utf-8"), group.replace("/", ".")
    if "# @package _global_" in text:
        expected = {row.key for row in keys(text) if row.key.startswith("hydra.")}
    else:
        place += f".{name}" if group == "logger" and name != "none" else ""
        expected = {f"{place}.{row.key}" for row in keys(text) if not row.key.startswith(("over.", "targets."))}
    assert expected <= set(shown)


def test_the_variants_of_all_groups_are_found() -> None:
    assert len(VARIANTS) > 80


@pytest.mark.parametrize("verb", verbs())
def test_help_shows_each_setting_of_a_verb_with_its_meaning(verb: str) -> None:
    text = list_settings(file_name(verb), [])
    shown = {match[1]: match[3] for line in text.splitlines() if (match := SETTING.fullmatch(line))}
    assert all(shown.values()), shown
    written = (config_folder() / f"{file_name(verb)}.yaml").read_text(encoding="utf-8")
    assert {row.key for row in keys(written) if not row.key.startswith("hydra.")} <= set(shown)


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["generator/up=resskip"], "generator.up.refine.activation=silu  # relu, relu6, leaky_relu, silu, gelu, none"),
        (
            ["generator/up=resskip", "generator.up.refine.activation=relu"],
            "generator.up.refine.activation=relu  # relu,",
        ),
        (["generator/up/refine=mbconv"], "generator.up.refine.expansion=2  "),
        (["generator/style=film"], "generator.style.dim=128            # values of a style's embedding"),
        (["generator/up=hybrid", "generator.up.switch=2"], "generator.up.levels=null     # exceptions: {2: deconv"),
        (["loss.l1.weight=3"], "loss.l1.weight=3 "),
        (["logger=[csv,wandb]"], "logger.wandb.project=fontgan  # the project"),
        (["data=fonts", "data.targets={a: B.ttf}"], "data.targets={a: B.ttf} "),
        (["-m", "experiment=scratch", "generator/up=deconv,gated"], "generator.up.resize.kernel=4 "),
        (["-m", "launcher=slurm", "hydra.launcher.mem_gb=64"], "hydra.launcher.mem_gb=64 "),
    ],
)
def test_help_is_of_what_was_chosen(overrides: list[str], line: str) -> None:
    result = fontgan_here("train", *overrides, "--help")
    assert result.returncode == 0, result.stderr
    assert f"\n  {line}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "generator/up=nonsense"], "generator/up=nonsense: no such variant. Choose one of"),
        (["train", "trainer.max_stips=3"], "trainer.max_stips: no such config key. Did you mean max_steps?"),
        (["train", "generator/up=deconv", "generator.up.resize.kernel=3"], "generator.up.resize.kernel=3: "),
        (["train", "generator/up=resskip", "generator.up.refine.activation=swish"], "choose one of relu, "),
        (
            ["train", "generator/up=hybrid", "generator.up.inner=nonsense"],
            "generator.up.inner=nonsense: no such preset",
        ),
        (["train", "trainer.max_steps=0"], "trainer.max_steps=0: 1 or more"),
        (["train", "launcher=slurm"], "launcher=slurm: is for the jobs of a sweep"),
        (
            ["train", "-m", "experiment=scratch", "generator/up=deconv,nonsense"],
            "generator/up=nonsense: no such variant",
        ),
        (["train", "--fast"], "--fast: no such flag"),
        (["train", "fast"], "fast: settings are written key=value"),
        (["complete", "generator.style.dim=none"], "generator.style.dim"),
        (["infer", "batchsize=3"], "batchsize is batch_size here"),
        (["report", "blocks", "size=big"], "size: "),
        (["advise", "n=0"], "n=0: 1 or more"),
    ],
)
def test_what_is_wrong_for_a_verb_is_wrong_for_its_help(arguments: list[str], says: str) -> None:
    helped = fontgan_here(*arguments, "--help")
    assert helped.returncode == 2
    assert says in helped.stderr
    assert len(helped.stderr.splitlines()) == 1
    assert helped.stdout == ""


@pytest.mark.parametrize("typed", ["discriminator=none", "loss=ink", "generator/attention=linear"])
def test_help_shows_what_does_not_go_together_yet(typed: str) -> None:
    assert f"\n{typed}:\n" in fontgan_here("train", typed, "--help").stdout


def test_help_asks_for_no_value_that_is_still_to_come() -> None:
    result = fontgan_here("complete", "generator/style=film", "--help")
    assert result.returncode == 0, result.stderr
    assert "\n  target=??? " in result.stdout


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
        "lies off the source by scale",
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
    for verb in (("check",), ("train", "experiment=scratch")):
        assert says in refused(*verb, *arguments)
    assert sorted(os.listdir(tmp_path)) == ["empty", "text.ttf", "zero.ttf"]


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trainer.batch_size=0"], "trainer.batch_size=0: 1 or more"),
        (["trainer.ema_decay=1"], "trainer.ema_decay"),
        (["trainer.compile=maybe"], "auto, true, false"),
        (["trainer.precision=fp8"], "auto, bf16, fp16, fp32"),
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
