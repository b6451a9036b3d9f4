"""``hf://OWNER/NAME`` where a run is taken: what is fetched, what is refused, and without a connection."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from fontgan.config.compose import compose_config
from fontgan.errors import ConfigError
from fontgan.hub.names import parse
from fontgan.hub.pull import pull
from fontgan.training.checkpoint import find
from tests.helpers import BRUSH, KAI, SOURCE, TINY, Here, fontgan_here, part_of, reseal
from tests.hub.stand_in import Files, Hub

Refused = Callable[..., str]


@pytest.fixture(scope="module")
def sent(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of a pushed run."""
    out = tmp_path_factory.mktemp("push") / "tiny"
    assert fontgan_here("push", f"run={tiny_run}", "licence=ofl-1.1", f"out={out}").returncode == 0
    return {file.name: file.read_bytes() for file in out.iterdir()}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Takes the hub away: ``asked`` by the user's own setting, ``gone`` as without a network."""

    def take(how: str) -> None:
        pull.cache_clear()
        if how == "asked":
            monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        else:
            monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")

    return take


def draw(here: Here, run: str, out: Path) -> list[bytes]:
    result = here("infer", f"checkpoint={run}", "text=永字八法", "style=all", "allow=[blank]", f"out={out}")
    assert result.returncode == 0, result.stderr
    return [file.read_bytes() for file in sorted(out.rglob("U+*.png"))]


def test_pushed_and_pulled_it_draws_the_same_to_the_bit(here: Here, hub: Hub, tiny_run: Path, tmp_path: Path) -> None:
    pushed = here("push", f"run={tiny_run}", "repo=me/tiny", "licence=ofl-1.1", "revision=v2")
    assert pushed.returncode == 0, pushed.stderr
    assert "fontgan infer checkpoint=hf://me/tiny@v2 " in pushed.stderr
    hub.asked.clear()
    own, pulled = draw(here, str(tiny_run), tmp_path / "own"), draw(here, "hf://me/tiny@v2", tmp_path / "hub")
    assert len(own) == 12
    assert own == pulled
    assert hub.fetched() == {"run.json", "config.yaml", "generator.safetensors"}


def test_nothing_is_fetched_unless_named(here: Here, hub: Hub, sent: Files, tiny_run: Path, tmp_path: Path) -> None:
    hub.put("me/tiny", sent)
    draw(here, str(tiny_run), tmp_path / "own")
    assert not hub.asked
    with pytest.raises(ConfigError):
        parse("hf://tiny")


def test_a_config_is_inherited_from_it(hub: Hub, sent: Files) -> None:
    hub.put("me/tiny", sent)
    config = compose_config("check", ["init_from=hf://me/tiny", f"data.targets={{new: '{BRUSH}'}}"])
    assert (config.data.size, config.data.source) == (64, "asset:NotoSansSC-Regular.ttf")


@pytest.mark.slow
def test_verbs_that_take_a_run_take_one_on_the_hub(here: Here, hub: Hub, sent: Files, tmp_path: Path) -> None:
    hub.put("me/tiny", sent)
    hand = part_of(KAI, "的一是不了在人有我他", tmp_path / "Part.ttf")
    commands = (
        ("evaluate", "run=hf://me/tiny", "ocr=none", f"out={tmp_path / 'e.json'}"),
        ("diagnose", "checkpoint=hf://me/tiny", f"out={tmp_path / 'd.json'}"),
        ("export", "run=hf://me/tiny", f"out={tmp_path / 'm.onnx'}"),
        ("push", "run=hf://me/tiny", "licence=ofl-1.1", f"out={tmp_path / 'fork'}"),
        (
            "complete", f"target={hand}", f"source={SOURCE}", "charset=这个们中", "run=hf://me/tiny", "style=kai", "ocr=none",
            "family=Part Made", "allow=[blank]", f"out={tmp_path / 'Made.ttf'}",
        ),
    )  # fmt: skip
    for command in commands:
        result = here(*command)
        assert result.returncode == 0, result.stderr
        assert Path(command[-1].removeprefix("out=")).exists()


@pytest.mark.slow
def test_a_training_starts_from_it_and_resumes_without_it(
    here: Here, hub: Hub, sent: Files, tmp_path: Path, offline: Callable[[str], None]
) -> None:
    hub.put("me/tiny", sent)
    command = (
        "train", "experiment=finetune", *TINY[4:12], "init_from=hf://me/tiny", f"data.targets={{new: '{BRUSH}'}}",
        "data.charset=的一是不了在人有我他这个们中来上大为和国地到以说时", f"out={tmp_path / 'new'}",
    )  # fmt: skip
    stopped = here(*command, "trainer.stop_at=2")
    assert stopped.returncode == 0, stopped.stderr
    saved = yaml.safe_load((tmp_path / "new" / "config.yaml").read_text())
    assert saved["init_from"] == "hf://me/tiny"
    offline("gone")
    shutil.rmtree(tmp_path / "hf")
    resumed = here(*command)
    assert resumed.returncode == 0, resumed.stderr
    assert find(tmp_path / "new", "last").metadata["styles"] == ["kai", "brush", "xiaowei", "new"]


@pytest.mark.parametrize("how", ["asked", "gone"])
def test_without_a_connection_the_cache_serves(
    here: Here, refused: Refused, hub: Hub, sent: Files, tmp_path: Path, offline: Callable[[str], None], how: str
) -> None:
    hub.put("me/tiny", sent)
    before = draw(here, "hf://me/tiny", tmp_path / "before")
    offline(how)
    asked = len(hub.asked)
    result = here(
        "infer", "checkpoint=hf://me/tiny", "text=永字八法", "style=all", "allow=[blank]", f"out={tmp_path / 'after'}"
    )
    assert "the one in the cache is used" in result.stderr
    assert [file.read_bytes() for file in sorted((tmp_path / "after").rglob("U+*.png"))] == before
    assert "is not in the cache yet" in refused("infer", "checkpoint=hf://me/more", "text=永", f"out={tmp_path / 'x'}")
    assert len(hub.asked) == asked


def test_a_commit_in_the_cache_is_not_asked_for(hub: Hub, sent: Files) -> None:
    repo = hub.put("me/tiny", sent)
    commit = repo.branches["main"]
    first = pull(f"hf://me/tiny@{commit}")
    repo.commit({**sent, "README.md": b"changed"})
    pull.cache_clear()
    hub.asked.clear()
    assert pull(f"hf://me/tiny@{commit}") == first
    assert not hub.asked
    assert pull("hf://me/tiny") != first


@pytest.mark.parametrize("spec", ["hf://tiny", "hf://me/", "hf:///tiny", "hf://me/tiny/more", "hf://me/../tiny", "hf://me/tiny@", "hf://me/tiny@../x"])  # fmt: skip
def test_names_that_no_repository_can_have(refused: Refused, hub: Hub, tmp_path: Path, spec: str) -> None:
    assert "names no repository" in refused("infer", f"checkpoint={spec}", "text=永", f"out={tmp_path / 'x'}")
    assert not hub.asked


def test_what_the_hub_does_not_give(
    refused: Refused, hub: Hub, sent: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def line(spec: str) -> str:
        return refused("infer", f"checkpoint={spec}", "text=永", f"out={tmp_path / 'x'}")

    hub.put("me/open", sent)
    hub.put("you/closed", sent, private=True)
    hub.put("you/gated", sent, gated=True)
    assert "no such repository that the token may see" in line("hf://me/none")
    assert "no such revision" in line("hf://me/open@v9")
    monkeypatch.delenv("HF_TOKEN")
    assert "no such repository that is public" in line("hf://you/closed")
    assert "gives access on request" in line("hf://you/gated")
    hub.fail["/api/models/me/open"] = 503
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    assert "is not in the cache yet" in line("hf://me/open")
    assert not (tmp_path / "x").exists()


def of_system(files: Files) -> Files:
    config = yaml.safe_load(files["config.yaml"])
    config["generator"]["norm"]["_target_"] = "os.system"
    return sealed_again({**files, "config.yaml": yaml.safe_dump(config).encode()})


def sealed_again(files: Files) -> Files:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        for file in ("run.json", "config.yaml", "generator.safetensors"):
            (Path(name) / file).write_bytes(files[file])
        reseal(Path(name))
        return {file.name: file.read_bytes() for file in Path(name).iterdir()}


def without(files: Files, name: str) -> Files:
    return {key: data for key, data in files.items() if key != name}


HOSTILE: dict[str, tuple[Callable[[Files], Files], str]] = {
    "pickle alone": (lambda files: {"pytorch_model.bin": b"\x80\x04cos\nsystem\n"}, "is no run of fontgan"),
    "no weights": (lambda files: without(files, "generator.safetensors"), "holds no generator.safetensors"),
    "pickle for weights": (
        lambda files: sealed_again({**files, "generator.safetensors": b"\x80\x04cos\nsystem\n(S'x'\ntR."}), "no safetensors file",
    ),
    "wrong checksum": (
        lambda files: {**files, "generator.safetensors": files["generator.safetensors"][:-1] + b"\x7f"}, "its checksum does not fit",
    ),
    "cut off": (lambda files: {**files, "generator.safetensors": files["generator.safetensors"][:1000]}, "1000 bytes"),
    "no JSON": (lambda files: {**files, "run.json": b"{" * 1000}, "is not a checkpoint"),
    "a class that runs": (of_system, "may be named there"),
    "more than is there": (
        lambda files: {**files, "run.json": files["run.json"].replace(b'"generator.safetensors"', b'"../../x.safetensors"')},
        "is not a checkpoint",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_repository_is_refused(refused: Refused, hub: Hub, sent: Files, tmp_path: Path, kind: str) -> None:
    make, told = HOSTILE[kind]
    hub.put("you/bad", make(dict(sent)))
    line = refused("infer", "checkpoint=hf://you/bad", "text=永", f"out={tmp_path / 'x'}")
    assert told in line
    assert not (tmp_path / "x").exists()
    assert not any(name.endswith((".bin", ".pkl")) for name in hub.fetched())


def test_what_else_lies_there_is_never_fetched(here: Here, hub: Hub, sent: Files, tmp_path: Path) -> None:
    hub.put(
        "you/odd",
        {**sent, "evil.pkl": b"x", "../../escape.json": b"{}", "/etc/absolute.yaml": b"x", "sub/run.json": b"{}"},
    )
    pull("hf://you/odd")
    assert hub.fetched() == {"run.json", "config.yaml", "generator.safetensors"}
    assert not list(tmp_path.rglob("escape*"))
    assert not list(tmp_path.rglob("absolute*"))


@pytest.mark.parametrize("file", ["run.json", "config.yaml", "generator.safetensors"])
def test_a_file_beyond_its_size_is_not_fetched(
    refused: Refused, hub: Hub, sent: Files, tmp_path: Path, file: str
) -> None:
    hub.put("you/large", sent)
    hub.claimed[file] = 3 * 2**30
    line = refused("infer", "checkpoint=hf://you/large", "text=永", f"out={tmp_path / 'x'}")
    assert f"its {file} is larger than a run's can be" in line
    assert not hub.fetched()


def test_what_was_damaged_in_the_cache_is_fetched_anew(hub: Hub, sent: Files) -> None:
    hub.put("me/tiny", sent)
    weights = pull("hf://me/tiny") / "generator.safetensors"
    real = weights.resolve()
    real.write_bytes(real.read_bytes()[:-1] + b"\x7f")
    pull.cache_clear()
    assert (pull("hf://me/tiny") / "generator.safetensors").read_bytes() == sent["generator.safetensors"]


def test_a_download_that_breaks_leaves_nothing_half(
    refused: Refused, hub: Hub, sent: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.put("me/tiny", sent)
    hub.cut.add("generator.safetensors")
    assert "not in the cache yet" in refused("infer", "checkpoint=hf://me/tiny", "text=永", f"out={tmp_path / 'x'}")
    assert not list((tmp_path / "hf").rglob("snapshots/*/generator.safetensors"))
    hub.cut.clear()
    assert (pull("hf://me/tiny") / "generator.safetensors").read_bytes() == sent["generator.safetensors"]


def test_a_run_as_it_lay_in_its_folder_is_read_too(hub: Hub, tiny_run: Path) -> None:
    folder = find(tiny_run, "best").folder
    hub.put("me/byhand", {file.name: file.read_bytes() for file in folder.iterdir()})
    found = find(pull("hf://me/byhand"), "best")
    assert found.metadata["files"] == json.loads((folder / "run.json").read_text())["files"]
    assert "training.safetensors" in found.metadata["files"]


@pytest.mark.parametrize("verb", ["train", "infer"])
def test_nothing_is_written_on_the_hub_but_by_push(refused: Refused, hub: Hub, tiny_run: Path, verb: str) -> None:
    keys = TINY if verb == "train" else (f"checkpoint={tiny_run}", "text=永")
    line = refused(verb, *keys, "out=hf://me/tiny")
    assert "is only read" in line
    assert "init_from=hf://me/tiny" in line
    assert not hub.asked
