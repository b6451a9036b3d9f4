"""Configs, checkpoints and helper files from strangers: nothing in them runs, leads outside, or is believed unchecked.

A canary file stands for what an attack would do; that it is not there afterwards is what is tested.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import fontgan as package
from fontgan.bench import page as bench_page
from fontgan.cli import run_verb
from fontgan.complete.work import read_state
from fontgan.config.check import target_nodes
from fontgan.config.compose import compose_config
from fontgan.config.instantiate import build
from fontgan.config.saved import check_fits, load_config
from fontgan.config.targets import ALLOWED_TARGETS, locate
from fontgan.errors import ConfigError, RunError, UserError
from fontgan.evaluation.glyph_set import pack_of
from fontgan.generate.inference import load
from fontgan.report.collect import read_history
from fontgan.runtime.checksums import read_sealed
from fontgan.sweep.jobs import read_jobs
from fontgan.training.checkpoint import find, open_checkpoint
from fontgan.training.run_json import RunJson
from fontgan.untrusted.plain_json import convert
from fontgan.untrusted.plain_yaml import MAX_BYTES, MAX_NODES
from tests.helpers import KAI, TINY, Here, open_page, part_of, reseal

pytestmark = pytest.mark.slow

PACKAGE = Path(package.__file__).parent

# What a config could name to do harm, or to reach what does.
TARGETS = (
    "os.system", "os.popen", "posix.system", "subprocess.run", "subprocess.Popen", "builtins.eval", "builtins.exec",
    "builtins.open", "builtins.__import__", "pathlib.Path.touch", "pathlib.Path", "shutil.rmtree", "pickle.loads",
    "importlib.import_module", "runpy.run_path", "webbrowser.open", "functools.partial", "hydra.utils.call",
    "hydra.utils.instantiate", "hydra._internal.instantiate._instantiate2.instantiate", "omegaconf.OmegaConf.save",
    "torch.load", "torch.save", "torch.hub.load", "torch.serialization.load", "torch.nn.modules.module.torch.load",
    "torch.nn.modules.module.importlib.import_module", "torch.nn.os.system", "torch.nn.functional.conv2d",
    "torch.nn.init.normal_", "torch.nn.utils.parametrize.register_parametrization", "torch.nn.DataParallel",
    "torch.nn.Module", "torch.nn.Linear", "torch.nn.Upsample", "torch.nn.ConstantPad2d", "torch.nn.ParameterList",
    "torch.nn.modules.batchnorm.BatchNorm2d", "torch.nn.parallel.DistributedDataParallel",
    "torch.optim.lr_scheduler.LambdaLR", "torch.optim.swa_utils.AveragedModel", "torch.utils.cpp_extension.load",
    "torch.jit.load", "torch.distributed.init_process_group", "torch.testing._internal.common_utils.run_tests",
    "fontgan.cli.main", "fontgan.cli.os.system", "fontgan.cli.importlib.import_module", "fontgan.build.sys.exit",
    "fontgan.build.Path.touch", "fontgan.runtime.files.atomic_write", "fontgan.runtime.files.os.remove", "fontgan.runtime.files.shutil.rmtree",
    "fontgan.commands.train.main", "fontgan.runtime.subprocesses._do", "fontgan.untrusted.sandbox.subprocess.run",
    "fontgan.generate.inference.load", "fontgan.training.checkpoint.save", "fontgan.training.trainer.Trainer",
    "fontgan.models.unet.nn.Conv2d", "fontgan.models.unet.torch.load", "fontgan.models.unet.partial",
    "fontgan.models.unet.Callable", "fontgan.models.predict.draw_pixels", "fontgan.models.grad_checkpointing.recomputed",
    "fontgan.models.init.initialise", "fontgan.models.os", "fontgan.models.norm.math.gcd", "fontgan.models.norm.nn",
    "fontgan.models.unet.UnetGenerator.forward", "fontgan.models..unet.UnetGenerator", "fontgan.models.__init__.x",
    "fontgan.models.unet.__builtins__", "fontgan.models.unet.UnetGenerator.__init__.__globals__",
    "fontgan.losses.torch", "fontgan.losses.feature_distance", "fontgan.losses.DiscriminatorOutput", "fontgan.losses.F.l1_loss", "fontgan.data.augment.torch.load",
    "fontgan", "fontgan.models", "", ".", "..", "os", "a" * 10_000, "fontgan.models.unet.\N{CYRILLIC SMALL LETTER A}",
    "fontgan.models.unet.UnetGenerator\n", "fontgan/models/unet.UnetGenerator", 3, 1.5, True, ["os.system"], {"a": 1},
)  # fmt: skip


def nodes() -> list[str]:
    """Every node that names a class in one training or another, read from configs."""
    asked = ["experiment=scratch", "generator/up=hybrid", "discriminator=patch", "loss=ink_gan"]
    found = {path for extra in ([], asked) for path, _ in target_nodes(compose_config("train", extra))}
    return sorted(found)


NODES = nodes()


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A file that must not appear."""
    file = tmp_path / "canary"
    yield file
    assert not file.exists(), "something from outside ran"


def test_every_place_of_a_config_is_tried() -> None:
    for place in ALLOWED_TARGETS:
        assert any(node == place.path or node.startswith(f"{place.path}.") for node in NODES), place.path
    assert len(NODES) >= 20
    assert len(TARGETS) >= 80


@pytest.mark.parametrize("path", NODES)
def test_no_place_takes_what_could_do_harm(path: str) -> None:
    before = set(sys.modules)
    for target in TARGETS:
        with pytest.raises(ConfigError) as error:
            locate(path, target)
        assert "_target_" in str(error.value)
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 400
    new = {name.split(".")[0] for name in set(sys.modules) - before}
    assert new <= {"fontgan", "torch"}, "a name of a stranger was imported"


def test_a_class_goes_where_it_is_for_and_nowhere_else() -> None:
    belongs = {
        path: node["_target_"]
        for path, node in target_nodes(compose_config("train", ["experiment=scratch", "discriminator=patch"]))
    }
    for path, target in belongs.items():
        assert callable(locate(path, target))
    for place in (
        "data",
        "data.source",
        "trainer",
        "optim",
        "sweep.over",
        "name",
        "optim.algorithm.betas",
        "",
    ):
        with pytest.raises(ConfigError, match="no class can be named there"):
            locate(place, "fontgan.models.unet.UnetGenerator")
    for path, target in (
        ("loss.l1", belongs["generator"]), ("generator", belongs["loss.l1"]), ("optim.algorithm", belongs["generator.norm"]),
        ("generator.style", belongs["generator.norm"]), ("generator.norm", belongs["optim.algorithm"]),
        ("data.augment", belongs["generator.norm"]), ("discriminator", belongs["data.augment"]),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match="may be named there"):
            locate(path, target)


def test_a_module_beside_the_command_is_not_imported(
    tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil").mkdir()
    for name in ("evil.py", "evil/__init__.py", "evil/models.py"):
        (tmp_path / name).write_text(f"open({str(canary)!r}, 'w')\nclass Evil: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for target in ("evil.Evil", "evil.models.Evil", "fontgan.models.evil.Evil", "torch.nn.evil.Evil"):
        for path in ("generator", "generator.norm", "loss"):
            with pytest.raises(ConfigError):
                locate(path, target)


@pytest.mark.parametrize(
    ("key", "value"),
    [("_args_", ["touch x"]), ("_recursive_", False), ("_convert_", "object"), ("_partial_", "os.system"), ("_partial_", 3),
     ("device", "cuda"), ("dtype", "float64"), ("_target", "os.system"), ("__class__", "x")],
)  # fmt: skip
def test_no_other_key_of_hydras_is_taken(key: str, value: Any) -> None:
    with pytest.raises(ConfigError) as error:
        compose_config(
            "train", [f"+generator.norm.{key}={value}" if key != "_partial_" else f"generator.norm.{key}={value}"]
        )
    assert key in str(error.value)


# -- the same, typed, from a file, and planted in a checkpoint ------------------------------------


def attacks(canary: Path) -> list[dict[str, Any]]:
    """Nodes that would make the canary, were they called."""
    return [
        {"_target_": "os.system", "command": f"touch {canary}"},
        {"_target_": "os.system", "_args_": [f"touch {canary}"]},
        {"_target_": "subprocess.run", "args": ["touch", str(canary)]},
        {"_target_": "builtins.open", "file": str(canary), "mode": "w"},
        {"_target_": "pathlib.Path.touch", "self": {"_target_": "pathlib.Path", "_args_": [str(canary)]}},
        {"_target_": "torch.save", "obj": 1, "f": str(canary)},
        {"_target_": "fontgan.runtime.files.os.open", "path": str(canary), "flags": os.O_CREAT},
        {"_target_": "fontgan.config.compose.compose_config", "verb": "train", "overrides": []},
        {"_target_": "fontgan.cli.main", "arguments": ["train", f"out={canary}"]},
        {"_target_": "hydra.utils.call", "config": {"_target_": "os.system", "command": f"touch {canary}"}},
    ]


@pytest.mark.parametrize("number", range(len(attacks(Path("x")))))
def test_an_attack_typed_or_built_does_not_run(
    number: int, canary: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    attack = attacks(canary)[number]
    for path in ("generator", "generator.norm", "loss", "nowhere"):
        with pytest.raises(ConfigError, match="_target_"):
            build(OmegaConf.create(attack), path)
    written = json.dumps(attack).replace('"', "'")
    for override in (f"generator.norm={written}", f"generator.up.resize={written}", f"++data.augment={written}",
                     f"data.source={written}", f"optim.algorithm={written}", f"+sweep.over.x={written}"):  # fmt: skip
        refused("train", override, f"out={tmp_path / 'out'}")


@pytest.fixture(scope="module")
def strangers(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a copy of a run as a stranger would have changed it: its config, its description, its files."""
    root = tmp_path_factory.mktemp("strangers")

    def make(
        config: Callable[[dict[str, Any]], None] | str | bytes | None = None,
        metadata: Callable[[dict[str, Any]], None] | None = None,
        tensors: Callable[[dict[str, torch.Tensor]], None] | None = None,
    ) -> Path:
        run = root / f"run{len(list(root.iterdir()))}"
        shutil.copytree(tiny_run, run)
        for folder in (run, *sorted((run / "checkpoints").iterdir())):
            file = folder / "config.yaml"
            if callable(config):
                loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
                config(loaded)
                file.write_text(yaml.safe_dump(loaded, allow_unicode=True, sort_keys=False), encoding="utf-8")
            elif config is not None:
                file.write_bytes(config.encode() if isinstance(config, str) else config)
        for folder in sorted((run / "checkpoints").iterdir()):
            if tensors is not None:
                from safetensors.torch import load_file, save_file

                weights = load_file(folder / "generator.safetensors")
                tensors(weights)
                save_file(weights, folder / "generator.safetensors")
            if metadata is not None:
                file = folder / "run.json"
                described = json.loads(file.read_text(encoding="utf-8"))
                metadata(described)
                file.write_text(json.dumps(described), encoding="utf-8")
        reseal(run)
        return run

    return make


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one place in nested tables, written with dots; a list is entered by a number."""

    def change(whole: dict[str, Any]) -> None:
        *way, last = path.split(".")
        node: Any = whole
        for key in way:
            node = node[int(key)] if isinstance(node, list) else node[key]
        if value is GONE:
            del node[last]
        else:
            node[int(last) if isinstance(node, list) else last] = value

    return change


GONE = object()


def commands(run: Path, tmp_path: Path) -> list[tuple[str, ...]]:
    """Every command that reads a run."""
    font = part_of(KAI, "一是不了在人有我他这个", tmp_path.parent / "part.ttf")
    return [
        ("infer", f"checkpoint={run}", "text=一", "style=kai", f"out={tmp_path / 'drawn'}"),
        ("evaluate", f"run={run}", "ocr=none", "replicates=10"),
        ("diagnose", f"checkpoint={run}"),
        ("report", f"runs={run}", f"out={tmp_path / 'page.html'}", "ocr=none", "rates=false"),
        ("train", *TINY, f"out={run}"),
        ("train", f"init_from={run}", f"data.targets={{mine: {font}}}", f"out={tmp_path / 'new'}"),
        ("check", f"init_from={run}", f"data.targets={{mine: {font}}}"),
        ("complete", f"target={font}", "source=asset:NotoSansSC-Regular.ttf", "charset=一永", f"run={run}", "style=kai",
         f"out={tmp_path / 'F.ttf'}"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "place", ["generator.norm", "generator.up.resize", "loss", "data.augment", "data.source", "name"]
)
def test_an_attack_in_a_checkpoint_runs_with_no_command(
    place: str, strangers: Callable[..., Path], canary: Path, tmp_path: Path, here: Here
) -> None:
    for attack in attacks(canary)[:: 5 if place == "generator.norm" else 10]:
        run = strangers(put(place, attack))
        for command in commands(run, tmp_path):
            result = here(*command)
            lines = [line for line in result.stderr.splitlines() if ": error: " in line]
            assert result.returncode == 2, result.stderr
            assert "Traceback" not in result.stderr
            assert lines
            assert all("config.yaml" in line or place in line for line in lines), lines
    assert {path.name for path in tmp_path.iterdir()} <= {"canary"}, "something was written"


def test_a_target_below_a_key_that_is_a_number_is_seen_too(strangers: Callable[..., Path], canary: Path) -> None:
    def hide(whole: dict[str, Any]) -> None:
        up = whole["generator"]["up"]
        whole["generator"]["up"] = {
            "_target_": "fontgan.models.up.HybridUpPath", "inner": up, "outer": json.loads(json.dumps(up)), "switch": 2,
            "levels": {2: {"_target_": "os.system", "command": f"touch {canary}"}},
        }  # fmt: skip

    with pytest.raises(ConfigError, match=r"os\.system"):
        load(strangers(hide))


# -- a config that is no config ---------------------------------------------------------------


def aliases(levels: int) -> str:
    return "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, levels))


TEXTS: dict[str, str | bytes] = {
    "empty": "", "a list": "[1, 2]", "a number": "3", "not YAML": "a: [", "a tab": "a:\n\t- b", "NUL": b"a: \x00b",
    "not UTF-8": b"name: \xff\xfe", "UTF-16": "name: x".encode("utf-16"), "control characters": "name: \x1b[2J",
    "aliases": aliases(40), "one alias": "a: &x 1\nb: *x", "itself": "a: &x [*x]", "merged": "a: &x {b: 1}\nc:\n  <<: *x",
    "deep": "a: " + "[" * 5000 + "]" * 5000, "deep maps": "{a: " * 3000, "deep blocks": "".join(" " * i + "a:\n" for i in range(900)),
    "python": "!!python/object/apply:os.system ['touch CANARY']", "python name": "a: !!python/name:os.system",
    "unknown tag": "a: !x y", "binary": "a: !!binary aGVsbG8=", "set": "a: !!set {b, c}", "date": "a: 2001-01-01",
    "twice": "a: 1\na: 2", "null key": "null: 1", "list as key": "[1]: 2", "map as key": "? {a: 1}\n: 2",
    "huge integer": "generator: " + "9" * 5000, "hex": "a: 0x" + "f" * 10_000, "infinite": "name: .inf", "nan": "name: .nan",
    "resolver": "name: ${oc.env:HOME}", "resolver of ours": "name: ${readable:x}", "interpolation": "name: ${out}\nout: x",
    "in a key": "${oc.env:HOME}: 1", "two documents": "a: 1\n---\nb: 2", "missing": "name: ???", "int keys": "1: 2\n2: 3",
    "too large": b"a: " + b"x" * MAX_BYTES, "too many": "a: [" + "1," * (MAX_NODES + 1) + "]",
    "schema only": "name: x\nout: y\n", "parts of other kinds": "data: 1\ngenerator: 2\nloss: []\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", TEXTS)
def test_what_is_no_config_is_refused_in_one_line(kind: str, tmp_path: Path, canary: Path) -> None:
    text = TEXTS[kind]
    file = tmp_path / "config.yaml"
    file.write_bytes(text.replace("CANARY", str(canary)).encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError) as error:
        load_config(file)
    assert str(file) in str(error.value)
    assert len(error.value.faults) <= 4
    assert all(len(fault) < 700 + len(str(file)) for fault in error.value.faults)


@pytest.fixture(scope="module")
def saved_config(tiny_run: Path) -> dict[str, Any]:
    return yaml.safe_load((tiny_run / "config.yaml").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def leaves(node: Any, path: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{path}.{key}".lstrip(".")
            yield from leaves(value, f"{path}.{key}".lstrip("."))


def written(config: dict[str, Any], changes: list[tuple[str, Any]], file: Path) -> Path:
    changed = json.loads(json.dumps(config))
    for path, value in changes:
        put(path, value)(changed)
    file.write_text(yaml.safe_dump(changed, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return file


def test_the_saved_config_as_it_is_loads(saved_config: dict[str, Any], tmp_path: Path) -> None:
    assert load_config(written(saved_config, [], tmp_path / "c.yaml")).name == saved_config["name"]


def test_no_variable_of_the_environment_comes_out(
    saved_config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONTGAN_TEST_SECRET", "top-secret")
    for text in (
        "${oc.env:FONTGAN_TEST_SECRET}",
        "__u24__{oc.env:FONTGAN_TEST_SECRET}",
        "__u24__u7b__oc.env:FONTGAN_TEST_SECRET}",
    ):
        file = written(saved_config, [("name", text)], tmp_path / "c.yaml")
        try:
            loaded = OmegaConf.to_yaml(load_config(file), resolve=True)
        except ConfigError as error:
            loaded = str(error)
        assert "top-secret" not in loaded


WORDS: tuple[Any, ...] = (
    None, True, -1, 0, 1, 3, 10**9, -(10**9), 10**30, 0.5, float("nan"), float("inf"), 1e300, "", "x", "../../x", "a\x00b",
    "\x1b[2J", "${name}", "__u24__{name}", "???", [], [1], ["a"], [[]], {}, {"a": 1}, {1: 2}, {"_target_": "os.system"},
)  # fmt: skip


def test_every_key_of_a_saved_config_may_hold_anything(saved_config: dict[str, Any], tmp_path: Path) -> None:
    """Every fourth key with one of many wrong values, or gone: a refusal or a config. tests.untrusted.test_overrides has more."""
    paths = list(leaves(saved_config))
    assert len(paths) > 100
    refused = []
    for number, path in enumerate(paths[::4]):
        for value in (WORDS[number % len(WORDS)], GONE) if number % 4 == 0 else (WORDS[number % len(WORDS)],):
            file = written(saved_config, [(path, value)], tmp_path / "c.yaml")
            try:
                load_config(file)
            except ConfigError as error:
                refused.append(str(error))
    assert len(refused) > len(paths) // 8
    assert all(str(tmp_path / "c.yaml") in line for line in refused)


# -- sizes ------------------------------------------------------------------------------------

HUGE: dict[str, Any] = {
    "generator.ngf": 10**9, "generator.depth": 10**9, "generator.head_channels": 10**9, "data.size": 10**9,
    "data.size ": 96, "trainer.batch_size": 10**9, "trainer.accumulate": 10**9, "trainer.threads": 10**9,
    "data.workers": 10**9, "generator.style.dim": 10**9, "generator.up.resize.kernel": 10**9 + 1, "generator.depth ": -5,
    "generator.ngf ": 10**30, "discriminator.layers": 10**9, "discriminator.ndf": 10**9,
    "generator.norm": {"_target_": "torch.nn.LayerNorm", "_partial_": True},
    "generator.innermost": {"_target_": "fontgan.models.attention.Transformer", "_partial_": True, "blocks": 10**9},
    "generator.encoder_refine": {"_target_": "fontgan.models.refine.InvertedResidual", "_partial_": True, "expansion": 10**9},
    "generator.attention": {"_target_": "fontgan.models.style.NoStyle"}, "generator.attention_levels": [1] * 1000,
    "generator.up.fusion": {"_target_": "fontgan.models.discriminator.DiscriminatorOutput", "_partial_": True},
    "generator.up.resize": {"_target_": "fontgan.models.norm.group_norm", "_partial_": True, "groups": 0},
}  # fmt: skip


def open_both(run: Path) -> None:
    """What drawing builds of a run, and what comparing its speed would."""
    found = find(run, "best")
    check_fits(load_config(found.folder / "config.yaml"), found, ["generator", "discriminator"])
    load(run)


@pytest.mark.parametrize("key", HUGE)
def test_a_network_larger_than_its_file_is_refused_before_memory_is_taken(
    key: str, saved_config: dict[str, Any], strangers: Callable[..., Path]
) -> None:
    import resource

    path = key.strip()
    if path.startswith("discriminator") and path.split(".")[1] not in saved_config["discriminator"]:
        pytest.skip("another discriminator")
    run = strangers(put(path, HUGE[key]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError):
        open_both(run)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "kB of memory were taken"


@pytest.mark.parametrize("what", ["nan", "inf", "huge"])
def test_weights_that_draw_nothing_are_refused(what: str, strangers: Callable[..., Path]) -> None:
    value = {"nan": float("nan"), "inf": float("inf"), "huge": 3e38}[what]

    def spoil(weights: dict[str, torch.Tensor]) -> None:
        for tensor in weights.values():
            if tensor.is_floating_point():
                tensor.fill_(value)

    with pytest.raises(RunError, match=r"no numbers|draws no glyphs"):
        load(strangers(tensors=spoil))


# -- run.json -----------------------------------------------------------------------------------

WRONG_METADATA: tuple[tuple[str, Any], ...] = (
    ("styles", ["../../x", "brush", "xiaowei"]), ("styles", ["/etc", "b", "c"]), ("styles", ["all", "b", "c"]),
    ("styles", ["<script>", "b", "c"]), ("styles", ["a\x1b[2J", "b", "c"]), ("styles", "kai"), ("styles", [1, 2, 3]),
    ("styles", ["kai", "kai", "kai"]), ("styles", []), ("styles", None), ("styles", ["a" * 5000, "b", "c"]), ("styles", GONE),
    ("styles", {"kai": 1}), ("styles", ["kai", "brush"]), ("styles", ["kai", "brush", "other"]),
    ("minutes", float("nan")), ("minutes", "x"), ("minutes", -1), ("minutes", []), ("minutes", 10**40),
    ("scores", []), ("scores", {"kai": 1}), ("scores", {"kai": {}}), ("scores", {"kai": {"ssim": "x", "blank": 0}}),
    ("scores", {"kai": {"ssim": float("inf"), "blank": 0}}), ("scores", {"<b>": {"ssim": 0, "blank": 0}}),
    ("pack", 3), ("pack", "../x"), ("pack", "a\x00b"), ("data", GONE), ("data", []), ("data", 3), ("data.size", "64"),
    ("data.size", 10**9), ("data.size", 64.0), ("data.size", True), ("data.size", 96), ("data.size", GONE),
    ("data.styles.0.canvas", GONE), ("data.styles.0.canvas", {}), ("data.styles.0.canvas.scale", 0),
    ("data.styles.0.canvas.scale", -1), ("data.styles.0.canvas.scale", 1e300),
    ("data.styles.0.canvas.dx", float("nan")), ("data.styles.0.canvas.dy", "x"), ("data.held_out", ["永"]), ("data.held_out", "\x1b[2J"), ("data.held_out", "永永"),
    ("data.held_out", GONE), ("data.trained", None), ("data.styles", {}), ("data.styles", []),
    ("data.styles", GONE), ("data.styles.0", 3), ("data.styles.0.name", "other"), ("data.styles.0.name", "../x"),
    ("data.styles.0.name", "source"), ("data.styles.0.name", "brush"), ("data.styles.0.inputs", GONE),
    ("data.styles.0.inputs", []), ("data.styles.0.inputs", {}), ("data.styles.0.inputs.0", 3),
    ("data.styles.0.inputs", [{"scale": 1.0, "dx": 0.0, "dy": 0.0}] * 2), ("data.styles.0.inputs.0.scale", 0),
    ("data.styles.0.source", 1), ("data.styles.0.source", -1), ("data.styles.0.source", "x"),
    ("data.styles.0.source", GONE), ("data.styles.0.limits", [1.0]), ("data.styles.0.limits", "x"),
    ("data.styles.0.preferred", [0]), ("data.styles.0.preferred", [-1]),
    ("data.guides", 3), ("data.guides", [{"name": "guide"}]), ("data.guides", [3]),
    ("data.sources", GONE), ("data.sources", []), ("data.sources", {}), ("data.sources.0", 3),
    ("data.sources.0.median_ink_box", [0, 0, 0, 0]), ("data.sources.0.median_ink_box", [1, 2]),
    ("data.sources.0.median_ink_box", "x"), ("data.sources.0.to_cell", 3), ("data.sources.0.then", 3),
    ("data.sources.0.to_cell.units_per_em", "x"), ("data.sources.0.file", 3), ("made_with", []), ("made_with", {"a": 1}),
    ("rollbacks", 3), ("rollbacks", [3]), ("rollbacks", [{"step": "x", "back_to": 0}]), ("health", {"usual": {"a": [1]}}),
    ("extra", 1), ("data.sources.0.extra", {}), ("data.styles.0.extra", {}), ("init_from", 3), ("init_from", {"checkpoint": 3}), ("init_from", {"styles": "x"}), ("step", "x"), ("step", -1),
    ("step", 1e300), ("step", GONE), ("format", 99), ("format", GONE), ("format", []),
)  # fmt: skip


def test_wrong_metadata_is_refused_in_one_line_by_whoever_reads_it(tiny_run: Path, tmp_path: Path) -> None:
    source = tiny_run / "checkpoints" / "step-00000004"
    described = json.loads((source / "run.json").read_text(encoding="utf-8"))
    for path, value in WRONG_METADATA:
        folder = tmp_path / "run" / "checkpoints" / "step-00000004"
        shutil.rmtree(folder.parents[1], ignore_errors=True)
        shutil.copytree(source, folder)
        changed = json.loads(json.dumps(described))
        put(path, value)(changed)
        (folder / "run.json").write_text(json.dumps(changed), encoding="utf-8")
        reseal(folder)
        # A pack of another name is one whose glyphs have changed, which evaluating says and drawing need not know.
        if path == "pack" and value == "../x":
            open_checkpoint(folder)
            continue
        with pytest.raises(UserError) as error:
            load(folder.parents[1])
        assert "\n" not in str(error.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["kai", "source", "ssim", "../x", 64, 1.0, {"scale": 1.0, "dx": 0.0, "dy": 0.0}]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["name", "canvas", "inputs", "scale", "dx", "dy", "size", "sources", "styles", "held_out", "trained"])
        | st.text(max_size=5),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["styles", "data", "scores", "minutes", "pack", "init_from", "made_with"]), json_values
    )
)
def test_metadata_is_checked_or_refused(tiny_run: Path, changes: dict[str, Any]) -> None:
    metadata = read_sealed(tiny_run / "checkpoints" / "step-00000004" / "run.json", 3) | changes
    try:
        convert(metadata, RunJson)
    except ValueError:
        return
    for entry in metadata["data"]["styles"]:
        assert all(frame["scale"] > 0 for frame in (entry["canvas"], *entry["inputs"]))
    assert all(re.match(r"\w", name) for name in metadata["styles"])


def test_the_cache_of_a_strangers_config_is_no_place_to_write(
    strangers: Callable[..., Path], tmp_path: Path, one_shared_cache: Path
) -> None:
    run = strangers(put("data.cache", str(tmp_path / "outside")))
    assert pack_of(load(run)).path.is_relative_to(one_shared_cache)
    assert not (tmp_path / "outside").exists()


# -- helper files -------------------------------------------------------------------------------

DAMAGED = (
    b"", b"{", b"[]", b"3", b"null", b"\x00", b"\xff", b'{"format": 1}', b'{"format": 1, "jobs": 3}', b"[" * 100_000,
    b'{"a":' * 50_000, b'{"format": []}', b'{"format": 1, "jobs": [3]}', b'{"format": 1, "identity": 3, "stages": {}}',
    b'{"format": 1, "identity": {}, "stages": []}', b'{"format": 1, "identity": {}, "stages": {}, "wrote": 3}',
    b'{"format": 1, "identity": {}, "stages": {}, "wrote": {"out": "x"}}', b"9" * 5000,
    b'{"format": 1, "identity": {}, "stages": {"draw": 3}}', b'{"format": 1, "identity": {}, "stages": {}, "learned_from": 3}',
    b'{"format": 1, "identity": {}, "stages": {}, "traced": ["a"]}', b'{"format": NaN}', b'{"format": 1e400}',
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_a_damaged_helper_file_is_named_in_one_line(number: int, tmp_path: Path) -> None:
    for file, read in (
        ("sweep.json", lambda: read_jobs(tmp_path)),
        ("complete.json", lambda: read_state(tmp_path, {"target": "x"})),
    ):
        (tmp_path / file).write_bytes(DAMAGED[number])
        with pytest.raises(RunError, match=file) as error:
            read()
        assert "\n" not in str(error.value)
        (tmp_path / file).unlink()


@pytest.mark.parametrize("folder", ["../x", "/etc", "a/b", "..", ".", "", "a\x00b", "a\\b", "a\nb", "\ud800"])
def test_a_job_lies_in_its_sweeps_folder(folder: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text(json.dumps({"format": 1, "jobs": [{"folder": folder}]}), encoding="utf-8")
    with pytest.raises(RunError, match=r"sweep\.json: is damaged"):
        read_jobs(tmp_path)


def test_broken_lines_of_scores_are_counted_and_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = {"step": 4, "kind": "held_out", "styles": {"kai": {"ssim": 0.5, "l1": 0.1}}}
    wrong: list[Any] = [
        3, [], "x", None, {}, {**good, "step": "4"}, {**good, "step": 1e300}, {**good, "step": float("inf")},
        {**good, "kind": 3}, {**good, "styles": []}, {**good, "styles": {"kai": 3}}, {**good, "step": -1}, {**good, "step": True},
    ]  # fmt: skip
    spoiled = {**good, "styles": {"kai": {"ssim": float("nan"), "l1": "x", "rmse": float("inf")}}}
    lines = [*map(json.dumps, [good, *wrong, spoiled]), '{"step": 4, "ki', "[" * 100_000, "\x00", '{"step": 1e999}']
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")
    logger = __import__("logging").getLogger("fontgan")
    logger.addHandler(caplog.handler)
    try:
        found = read_history(tmp_path / "metrics.jsonl")
    finally:
        logger.removeHandler(caplog.handler)
    assert found == [good, {**good, "styles": {"kai": {}}}]
    assert caplog.text.count("metrics.jsonl") == 1
    assert f"passed over {len(wrong) + 4} " in caplog.text


def test_a_lock_does_not_empty_what_a_link_leads_to(tmp_path: Path) -> None:
    from fontgan.sweep.jobs import Job, list_jobs

    (tmp_path / "mine").write_text("mine")
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / ".sweep.lock").symlink_to(tmp_path / "mine")
    list_jobs(tmp_path / "sweep", [Job("a")])
    assert (tmp_path / "mine").read_text() == "mine"


# -- what is shown --------------------------------------------------------------------------------

HOSTILE = (
    "<script>window.pwned=1</script>", "<img src=x onerror=window.pwned=1>", '"><svg onload=window.pwned=1>',
    "</script><script>window.pwned=1</script>", "javascript:window.pwned=1", "'+window.pwned=1+'", "</style><script>window.pwned=1</script>",
    "{{ 7*7 }}{% for x in y %}", "&lt;script&gt;", "]]><!--", "\u202egnp.exe", "expression(window.pwned=1)",
)  # fmt: skip


def spread_hostile(value: Any, names: Iterator[str]) -> Any:
    """The same content with every text that could come from outside replaced by a hostile one."""
    fixed = {"better", "of", "main", "fontgan", "date"}  # words of our own that the page's templates look at
    if isinstance(value, dict):
        return {
            key: item if key in fixed or key in ("metrics",) else spread_hostile(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [spread_hostile(item, names) for item in value]
    return next(names) if isinstance(value, str) else value


def hostile_names() -> Iterator[str]:
    while True:
        yield from HOSTILE


def nothing_ran(browser: Any, page: Path) -> str:
    """Opens a page; fails if anything of it ran, complained or went to a network. Returns: its text."""
    open_page(browser, page)
    assert browser.execute_script("return window.pwned") is None
    for button in browser.find_elements("css selector", "th button, button.glyph, button.look")[:12]:
        browser.execute_script("arguments[0].click()", button)
    assert browser.execute_script("return window.pwned") is None
    assert browser.get_log("browser") == []
    urls = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in urls if m["method"] == "Network.requestWillBeSent"]
    assert all(url.startswith(("file:", "data:")) for url in asked), asked
    assert browser.execute_script("return document.querySelectorAll('script').length") == 1
    assert (
        browser.execute_script(
            "return document.querySelectorAll('[onerror],[onload],svg[onload],iframe,object,embed').length"
        )
        == 0
    )
    return str(browser.execute_script("return document.body.textContent"))


def test_no_name_runs_in_a_report(
    strangers: Callable[..., Path], tiny_run: Path, tmp_path: Path, browser: Any, here: Here
) -> None:
    """Once with what can really come in, the names of folders; once with every text of the page made hostile."""
    runs = tmp_path / "runs"
    for name in HOSTILE[1:3]:
        shutil.copytree(tiny_run, runs / name)
    for file in runs.rglob("metrics.jsonl"):
        line = {"step": 3, "kind": f"baseline/{HOSTILE[0]}", "styles": {HOSTILE[1]: {"ssim": 0.9, "l1": 0.01}}}
        file.write_text(json.dumps(line) + "\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    page = tmp_path / "page.html"
    result = here("report", f"runs={runs}", f"out={page}", "ocr=none", "rates=false", "replicates=100", "device=cpu")
    assert result.returncode == 0, result.stderr
    text = nothing_ran(browser, page)
    assert HOSTILE[0] in text
    assert HOSTILE[1] in text

    from fontgan.report.page import Pictures, render_page

    content = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    content = spread_hostile(content, hostile_names()) | {"wall": {}}
    page.write_text(render_page(content, Pictures()), encoding="utf-8")
    text = nothing_ran(browser, page)
    assert sum(name in text for name in HOSTILE) >= 8


def test_no_name_of_a_font_runs_in_a_proof(tmp_path: Path, browser: Any, here: Here) -> None:
    from fontTools.ttLib import TTFont

    from tests.helpers import box, make_font

    file = make_font(tmp_path / "<img src=x onerror=window.pwned=1>.ttf", {c: box(0, 0, 500, 500) for c in "<>&\"'/永"})
    font = TTFont(file)
    for record, name in zip(list(font["name"].names), hostile_names(), strict=False):
        font["name"].setName(name, record.nameID, 3, 1, 0x409)
    for name_id, name in zip((0, 5, 10, 13, 14), hostile_names(), strict=False):
        font["name"].setName(name, name_id, 3, 1, 0x409)
    font.save(file)
    page = tmp_path / "proof.html"
    result = here("proof", f"font={file}", f"out={page}", f"text={''.join(c for c in HOSTILE[0])}")
    assert result.returncode == 0, result.stderr
    assert "onerror" in nothing_ran(browser, page)


def test_markdown_shows_names_and_follows_none(tmp_path: Path) -> None:
    numbers = json.loads(
        (Path(__file__).parents[2] / "docs" / "reference" / "benchmarks" / "cpu-step.json").read_text(encoding="utf-8")
    )
    hostile = ("<script>", "[x](javascript:alert(1))", "a|b", "```\n# x", "`</code><img src=x>`", "a\n\n# b")
    names = iter(hostile * 1000)
    for figure in numbers["figures"]:
        figure["name"], figure["column"], figure["unit"] = next(names), next(names), next(names)
    numbers["machine"] |= {"cpu": next(names), "gpu": None}
    numbers["command"] = "fontgan ```\n<script>"
    text = bench_page.to_markdown([(tmp_path / "<b>.json", numbers)], tmp_path / "page.md")
    outside_code = re.sub(r"```.*?```|`[^`\n]*`", "", text.split("\n", 3)[3], flags=re.DOTALL)
    assert "<script" not in outside_code
    assert "<b>" not in outside_code
    assert "](javascript" not in outside_code
    assert "\n# b" not in text
    del numbers["figures"][0]["value"]
    with pytest.raises(RunError, match=r"x\.json: its figures cannot be read"):
        bench_page.to_markdown([(tmp_path / "x.json", numbers)], tmp_path / "page.md")


@pytest.mark.parametrize(
    "name", ["a\x1b[2Jb", "a\nfontgan: all is well", "a\rb", "\x9b31m", "\u202egnp.x", "a\x07", "\udcff\udcfe"]
)
def test_a_name_reaches_the_terminal_as_one_harmless_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for verb, arguments in (
        ("check", [f"data.source={name}"]), ("check", [f"{name}=1"]), ("check", [f"--{name}"]), ("check", [name]),
        ("infer", [f"checkpoint={name}", "out=x", "text=a"]), ("report", [f"runs={name}"]),
        ("train", ["-m", f"generator/up={name}"]), ("train", [f"generator/up={name}"]),
    ):  # fmt: skip
        assert run_verb(verb, arguments) == 2
        printed = capsys.readouterr().err
        assert printed.endswith("\n")
        assert printed[:-1].isprintable(), printed


def test_no_module_listens() -> None:
    """Nothing but the studio's server listens; what would need a port is refused here before it is written."""
    servers = {
        "http.server",
        "socketserver",
        "wsgiref",
        "xmlrpc.server",
        "asyncio",
        "aiohttp",
        "flask",
        "tornado",
        "uvicorn",
    }
    calls = {"listen", "serve_forever", "start_server", "create_server"}
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 100
    listening = set()
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
            if {n for n in names if n in servers or n.split(".")[0] in servers} or called in calls:
                listening.add(file.relative_to(PACKAGE).as_posix())
    assert listening == {"studio/server.py"}
