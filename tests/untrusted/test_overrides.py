"""What users type and what files say, by the thousand: only a refusal in words may come of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fontgan.complete.work import read_state
from fontgan.config.check import target_nodes
from fontgan.config.compose import compose_config
from fontgan.config.overrides import escape_overrides, job_folder, own_settings, unescape
from fontgan.config.saved import load_config
from fontgan.errors import ConfigError, UserError
from fontgan.pictures.style_path import path_weights, say_mixture
from fontgan.report.collect import read_history
from fontgan.sweep.jobs import read_jobs
from fontgan.untrusted.plain_yaml import read_yaml

pytestmark = pytest.mark.slow
THOROUGH = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
QUICK = settings(THOROUGH, max_examples=40)  # of what takes Hydra's tenths of a second each

characters = st.characters(codec=None)  # surrogates too: arguments may be bytes that are no UTF-8
texts = st.text(characters, max_size=20)
CONFIG = OmegaConf.to_container(compose_config("train", []))


def refused_in_lines(action: Callable[[], Any]) -> bool:
    """Whether each fault that a user would be told is one line; any other error is a bug and comes through."""
    try:
        action()
    except UserError as error:
        faults = error.faults if isinstance(error, ConfigError) else [str(error)]
        return bool(faults) and not any("\n" in fault for fault in faults)
    return True


def keys(node: Any, path: str = "") -> list[str]:
    if not isinstance(node, dict):
        return [path]
    return [path, *(key for name, child in node.items() for key in keys(child, f"{path}.{name}".lstrip(".")))]


real_keys = st.sampled_from([key for key in keys(CONFIG) if key])
values = texts | st.sampled_from(
    ["null", "nan", "inf", "-1", "1e999", "9" * 5000, "[", "{", "[[[", "{a: {b: 1}}", "'", '"', "\\", "${x}", "${oc.env:HOME}",
     "__u41__", "__uffffff__", "__u5f__", "???", "~", "a,b", "range(1,3)", "x=y", "{_target_: os.system}", "[" * 500, "(", "${" * 200,
     "true", "0x10", "1_000", "\n", "\x00", "\x1b[2J"]
)  # fmt: skip
overrides = (
    st.builds("{}{}={}".format, st.sampled_from(["", "", "", "+", "++", "~"]), real_keys | texts, values) | texts
)


@THOROUGH
@given(st.lists(overrides, max_size=4), st.booleans())
def test_what_is_typed_comes_back_from_its_escapes(typed: list[str], sweep: bool) -> None:
    try:
        prepared = escape_overrides(typed, sweep=sweep)
    except UserError:
        return
    assert len(prepared) >= len(typed)
    for text in typed:
        key, _, value = text.partition("=")
        if key != "data.targets" and not sweep and "," not in value and "(" not in value:
            assert unescape(escape_overrides([text])[0].partition("=")[2]) == value
    folder = job_folder(own_settings(typed, ("out",)))
    assert 0 < len(folder.encode()) < 256
    assert "/" not in folder
    assert "\x00" not in folder


@QUICK
@given(st.lists(overrides, min_size=1, max_size=2), st.sampled_from(["train", "infer", "check", "evaluate"]))
def test_any_override_gives_a_config_or_a_refusal(typed: list[str], verb: str) -> None:
    required = ["checkpoint=a", "out=b"] if verb == "infer" else []
    assert refused_in_lines(lambda: compose_config(verb, [*required, *typed]))


names = st.sampled_from(["kai", "brush", "x"]) | st.text(characters, max_size=4)


@THOROUGH
@given(
    st.lists(names, max_size=5),
    st.integers(2, 40),
    st.floats(0, 100),
)
def test_a_path_is_a_path_or_refused(styles: list[str], frames: int, extrapolate: float) -> None:
    try:
        path = path_weights(styles, frames, extrapolate)
    except UserError:
        return
    assert len(path) == frames
    for mixture in path:
        assert sum(mixture.values()) == pytest.approx(1)
        assert any(say_mixture(mixture).startswith(name) for name in mixture)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
tables = st.dictionaries(
    st.sampled_from(
        ["format", "jobs", "identity", "stages", "wrote", "traced", "learned_from", "step", "kind", "styles"]
    ),
    json_values
    | st.sampled_from([1, {}, [], [{"folder": "a"}], [{"folder": "a", "overrides": {}, "starts": 1}], {"out": ["x"]}]),
)


@pytest.mark.parametrize(
    ("name", "read"),
    [("sweep.json", read_jobs), ("complete.json", lambda folder: read_state(folder, {"target": "x"})),
     ("metrics.jsonl", lambda folder: read_history(folder / "metrics.jsonl"))],
)  # fmt: skip
def test_any_helper_file_is_read_or_refused(name: str, read: Callable[[Path], Any], tmp_path: Path) -> None:
    @THOROUGH
    @given(tables | json_values | st.binary(max_size=60))
    def attempt(content: Any) -> None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        assert refused_in_lines(lambda: read(tmp_path))

    attempt()


yaml_texts = st.text(st.sampled_from("ab1:-[]{},&*!<>|'\"#%?~${} \n\t.") | characters, max_size=60) | st.binary(
    max_size=60
)


@THOROUGH
@given(yaml_texts)
def test_any_yaml_is_plain_data_or_refused(tmp_path: Path, text: str | bytes) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with suppress(ValueError):
        assert "${" not in repr(read_yaml(file))


nodes = st.sampled_from(
    [
        node["_target_"]
        for _, node in target_nodes(compose_config("train", ["experiment=scratch", "discriminator=patch"]))
    ]
)
pieces = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats()
    | texts
    | nodes.map(lambda t: {"_target_": t})
)


@QUICK
@given(st.dictionaries(real_keys, pieces, min_size=1, max_size=3))
def test_any_change_of_a_saved_config_is_a_config_or_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    changed = json.loads(json.dumps(CONFIG))
    for path, value in changes.items():
        *way, last = path.split(".")
        node = changed
        for key in way:
            node = node.get(key) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node[last] = value
    file = tmp_path / "config.yaml"
    file.write_bytes(yaml.safe_dump(changed, allow_unicode=True).encode("utf-8", "surrogatepass"))
    assert refused_in_lines(lambda: load_config(file))
