"""A part in the user's own package: what is typed or installed counts, what is loaded never has anything imported.

The package lies outside the repository, beside the user, as docs/reference/extending.md describes.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from fontgan.cli import run_verb
from fontgan.config import plugins
from fontgan.config.compose import compose_config
from fontgan.config.groups import choices
from fontgan.config.instantiate import build_generator
from fontgan.config.saved import load_config
from fontgan.config.targets import locate
from fontgan.errors import ConfigError
from tests.helpers import TINY, Here, error_line

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "extending.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## A part in your own package")[2].partition("\n## ")[0]
CODE = re.findall(r"^```(\w+)\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
FILES = {match[1]: text for _, text in CODE if (match := re.match(r"# (my_package/\S+)\n", text))}
COMMANDS = [shlex.split(line) for language, text in CODE if language == "sh" for line in text.splitlines()]
GIVEN = "plugins=[my_package]"
WITH_IT = ("experiment=scratch", GIVEN, "generator/up/refine=strokes")


def write_package(root: Path) -> Path:
    """The page's package."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    (root / "my_package" / "__init__.py").touch()
    return root / "my_package"


def command_line(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """As the ``fontgan`` script runs, whose ``sys.path`` lacks the current folder."""
    return subprocess.run([sys.executable, "-P", "-m", "fontgan", *arguments], cwd=cwd, capture_output=True, text=True)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The page's package in the current folder of a process that knows no plugin."""
    monkeypatch.setattr(plugins, "_typed", {})
    monkeypatch.chdir(tmp_path)
    yield write_package(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


def test_the_page_shows_a_whole_package() -> None:
    assert set(FILES) == {"my_package/strokes.py", "my_package/configs/generator/up/refine/strokes.yaml"}
    assert [command[1] for command in COMMANDS] == ["train", "train", "report", "infer"]


@pytest.mark.slow
def test_a_stranger_trains_sweeps_reports_and_draws_with_a_block_of_their_own(tmp_path: Path) -> None:
    """The commands of the page, run from a folder outside the repository."""
    write_package(tmp_path)
    shorter = {
        "train": TINY,
        "report": ("ocr=none", "rates=false", "replicates=100", "device=cpu"),
        "infer": ("allow=[blank]",),
    }
    for command in COMMANDS:
        assert command[0] == "fontgan"
        result = command_line(*command[1:], *shorter[command[1]], cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    run = tmp_path / "runs" / "strokes"
    saved = OmegaConf.load(run / "config.yaml")
    assert saved.plugins == ["my_package"]
    assert saved.generator.up.refine._target_ == "my_package.strokes.StrokeRefine"
    assert {line.split(",")[1] for line in (tmp_path / "compare.csv").read_text().splitlines()} >= {"none", "strokes"}
    assert len(list((tmp_path / "drawn").rglob("*.png"))) >= 4

    without = [argument for argument in COMMANDS[-1][1:] if argument != GIVEN]
    said = error_line(command_line(*without, cwd=tmp_path))
    assert f"Add {GIVEN} to the command" in said


def test_the_variants_of_a_plugin_are_among_the_choices(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "strokes" not in choices("generator/up/refine")
    with pytest.raises(ConfigError, match=r"refine=strokes: no such variant.*Choose one of"):
        compose_config("train", ["generator/up/refine=strokes"])
    assert run_verb("train", ["--help", GIVEN]) == 0
    assert re.search(r"generator/up/refine +.*strokes", capsys.readouterr().out)
    with pytest.raises(ConfigError, match=r"strokess: no such variant\. Did you mean strokes\?"):
        compose_config("train", [GIVEN, "generator/up/refine=strokess"])
    with pytest.raises(ConfigError, match=r"reech: no such config key\. Did you mean reach\?"):
        compose_config("train", [*WITH_IT, "generator.up.refine.reech=3"])
    cfg = compose_config("train", [*WITH_IT, *TINY])
    assert cfg.plugins == ["my_package"]
    cfg.generator.up.refine.reach = 4
    with pytest.raises(ConfigError, match=r"generator\.up\.refine\.reach=4: an odd kernel"):
        build_generator(cfg, 1)


def test_a_config_names_the_plugins_it_uses_and_no_others(package: Path) -> None:
    assert compose_config("train", [GIVEN]).plugins == []
    assert compose_config("infer", [GIVEN, "checkpoint=RUN", "out=DIR"]).plugins == ["my_package"]


TERM_AND_LOGGER = {
    "configs/loss/darkness.yaml": "defaults: [ink, _self_]\n"
    "darkness: {_target_: my_package.more.darkness, weight: 2.0, start: 0.1, end: 1.0, fade_in: 0.0, fade_out: 0.0}\n",
    "configs/logger/last.yaml": "# @package logger.last\n_target_: my_package.more.Last\n",
    "more.py": """
from torch import Tensor
from fontgan.loggers import Logger

def darkness(fake: Tensor, target: Tensor) -> Tensor:
    return (fake.mean() - target.mean()).abs()

def untyped(fake, target):
    return fake.mean()

class Last(Logger):
    def scalars(self, step, values):
        with (self.run / "told.txt").open("a") as file:
            file.write(f"{step} {sorted(values)}")

class Other:
    pass
""",
}


def test_a_loss_term_and_a_logger_of_a_plugin_take_part(package: Path, here: Here) -> None:
    for name, text in TERM_AND_LOGGER.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text, encoding="utf-8")
    chosen = ("loss=darkness", "discriminator=none", "logger=last", "trainer.log_every=1")
    result = here("train", GIVEN, *TINY, *chosen, "out=run")
    assert result.returncode == 0, result.stderr
    assert "loss/darkness" in (package.parent / "run" / "told.txt").read_text()
    assert OmegaConf.load("run/config.yaml").plugins == ["my_package"]
    for place, name, made in (
        ("loss.x", "untyped", r"torch\.Tensor"), ("logger.x", "Other", r"fontgan\.loggers\.Logger"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=f"only what makes a {made} may be named there"):
            locate(place, f"my_package.more.{name}")


def test_an_installed_plugin_is_there_without_being_typed(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = package.parent / "my_package-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[fontgan.plugins]\nstrokes = my_package\n")
    monkeypatch.syspath_prepend(str(package.parent))
    plugins._installed.cache_clear()
    try:
        cfg = compose_config("train", ["experiment=scratch", "generator/up/refine=strokes"])
        assert cfg.plugins == ["my_package"]
        OmegaConf.save(cfg, package.parent / "config.yaml")
        assert "my_package" in sys.modules
        assert load_config(package.parent / "config.yaml").plugins == ["my_package"]
    finally:
        plugins._installed.cache_clear()


# -- what is loaded ---------------------------------------------------------------------------------


def test_a_loaded_config_never_has_a_plugin_imported(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, canary = package.parent / "config.yaml", package.parent / "canary"
    OmegaConf.save(compose_config("train", list(WITH_IT)), file)
    for module in ("__init__.py", "strokes.py"):
        code = (package / module).read_text()
        (package / module).write_text(f"open({str(canary)!r}, 'w')\n{code}")
    plugins._typed.clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]
    monkeypatch.syspath_prepend(str(package.parent))  # even where it could be found
    with pytest.raises(ConfigError, match=r"config\.yaml: plugins=\[my_package\]: .*Add plugins=\[my_package\]"):
        load_config(file)
    told = yaml.safe_load(file.read_text())
    for changed in ({}, {"plugins": []}, {"plugins": None}, {"plugins": "my_package"}, {"plugins": [["my_package"]]}):
        file.write_text(yaml.safe_dump({key: told[key] for key in told if key != "plugins"} | changed))
        with pytest.raises(ConfigError):
            load_config(file)
    assert not canary.exists()
    assert not any(name.startswith("my_package") for name in sys.modules)


# -- what cannot be a plugin ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("[nowhere_to_be_found]", "there is no such package. Install it, or start the command in the folder"),
        ("[os]", "a plugin is a package (a folder with __init__.py) that has a folder configs/"),
        ("[torch]", "a plugin is a package (a folder with __init__.py) that has a folder configs/"),
        ("[bare]", "a plugin is a package (a folder with __init__.py) that has a folder configs/"),
        ("[my_package.strokes]", "is no name of a package"),
        ("[../my_package]", "is no name of a package"),
        ("my_package", "a list is needed. Write plugins=[my_package]"),
    ],
)
def test_what_is_no_plugin_is_refused_in_one_line(typed: str, says: str, package: Path) -> None:
    (package.parent / "bare").mkdir()
    (package.parent / "bare" / "__init__.py").touch()
    with pytest.raises(ConfigError) as error:
        compose_config("train", [f"plugins={typed}", "generator/up/refine=strokes"])
    assert f"plugins={typed}: " in str(error.value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_of_a_name_that_is_taken_is_refused(package: Path) -> None:
    (package / "configs" / "generator" / "up" / "refine" / "none.yaml").write_text("_target_: my_package.strokes.X\n")
    with pytest.raises(ConfigError, match=r"configs/generator/up/refine/none\.yaml is a file of another package too"):
        compose_config("train", [GIVEN])


def test_a_class_of_the_wrong_kind_is_refused(package: Path) -> None:
    (package / "odd.py").write_text("from torch import nn\nclass Plain: pass\nclass Layer(nn.Module): pass\n")
    (package / "broken.py").write_text("import nowhere_to_be_found\n")
    (package / "_own.py").write_text("from my_package.odd import Layer\n")
    compose_config("train", [GIVEN])
    assert locate("generator.up.refine", "my_package.odd.Layer").__name__ == "Layer"
    for path, target, says in (
        ("generator.up.refine", "my_package.odd.Plain", "only what makes a torch.nn.Module"),
        ("generator.up.refine", "my_package.odd.nn", "only what makes a torch.nn.Module"),
        ("optim.algorithm", "my_package.odd.Layer", "only what makes a torch.optim.Optimizer"),
        ("generator.up.refine", "my_package.odd.Nothing", "there is no such class"),
        ("generator.up.refine", "my_package.broken.X", "cannot be imported (ModuleNotFoundError: No module named"),
        ("generator.up.refine", "my_package._own.Layer", "may be named there"),
        ("trainer", "my_package.odd.Layer", "no class can be named there"),
        ("generator.up.refine", "os.system", "may be named there"),
    ):
        with pytest.raises(ConfigError) as error:
            locate(path, target)
        assert says in str(error.value)
        assert "\n" not in str(error.value)
