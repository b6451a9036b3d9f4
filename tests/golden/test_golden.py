"""Everything is as it was when golden.json was written: to the bit on the same machine, closely on another one."""

from __future__ import annotations

import copy
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fontgan.runtime.locks import hold

from . import cases, check, outputs
from .compare import CLOSE, EXACT, difference

pytestmark = pytest.mark.slow
MODE = check.how()
RECORDS = check.golden()["records"]
HELPS = check.golden_help()
WEIGHTS = f"train/{cases.OTHER_SEED}/generator"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything was run, once for all processes of the tests."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "golden"
    folder.mkdir(exist_ok=True)
    with hold(folder / "lock", wait=True):
        if not (folder / "begun").exists():
            (folder / "begun").touch()
            check.observe(folder, check.names())
    return folder


@pytest.fixture(scope="session")
def found(folder: Path) -> dict[str, Any]:
    """What came out."""
    answer = folder / "records.json"
    assert answer.exists(), "the commands of tests/golden/cases.py failed; the first golden test says how"
    if MODE == CLOSE:
        warnings.warn(f"golden records compared within tolerances: {check.other_machine()}", stacklevel=1)
    return json.loads(answer.read_text())


@pytest.mark.parametrize("name", RECORDS, ids=lambda name: f"{name}-{MODE}")
def test_record(name: str, found: dict[str, Any]) -> None:
    assert check.record_difference(name, RECORDS[name], found["records"], MODE) == ""


@pytest.mark.parametrize("verb", HELPS)
def test_help(verb: str, found: dict[str, Any]) -> None:
    assert found["help"].get(verb) == HELPS[verb]


def test_every_kind_is_recorded() -> None:
    kinds = {name.split("/")[0] for name in RECORDS}
    assert kinds == {"train", "pack", "images", "outlines", "fonts"}
    assert len(RECORDS) > 40
    assert all(RECORDS.values())
    assert len(HELPS) > 10


# -- the check can fail -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", [EXACT, CLOSE])
def test_another_seed_is_noticed(mode: str, found: dict[str, Any]) -> None:
    for name in ("generator", "discriminator", "metrics"):
        golden = RECORDS[f"train/{cases.OTHER_SEED}/{name}"]
        assert difference(WEIGHTS, golden, found["records"][f"train/other_seed/{name}"], mode)


@pytest.mark.parametrize("mode", [EXACT, CLOSE])
@pytest.mark.parametrize("name", RECORDS)
def test_a_nudged_record_is_noticed(name: str, mode: str) -> None:
    nudged = copy.deepcopy(RECORDS[name])
    last = next(one for one in reversed(nudged) if one["numbers"])
    last["sum"], last["numbers"][0] = "0" * outputs.DIGITS, float(last["numbers"][0]) * 1.1 + 4
    assert difference(name, RECORDS[name], RECORDS[name], mode) == ""
    assert difference(name, RECORDS[name], nudged, mode).startswith(f"{name}[{nudged.index(last)}], {last['label']}: ")


def test_nudged_weights_are_noticed_and_renamed_ones_are_not(
    folder: Path, found: dict[str, Any], tmp_path: Path
) -> None:
    file = max((folder / "train" / cases.OTHER_SEED / "checkpoints").glob("step-*")) / "generator.safetensors"
    tensors, before = load_file(file), found["records"][WEIGHTS]
    save_file({f"{len(tensors) - index}.{name}": t for index, (name, t) in enumerate(tensors.items())}, tmp_path / "a")
    assert difference(WEIGHTS, before, outputs.weights(tmp_path / "a"), EXACT) == ""
    name = max(tensors, key=lambda name: tensors[name].size)
    first = tensors[name].reshape(-1)[:1]
    first[:] = np.nextafter(first, np.float32(1))
    save_file(tensors, tmp_path / "b")
    assert name in difference(WEIGHTS, before, outputs.weights(tmp_path / "b"), EXACT)
    assert difference(WEIGHTS, before, outputs.weights(tmp_path / "b"), CLOSE) == ""
    tensors[name] *= np.float32(1.02)
    save_file(tensors, tmp_path / "c")
    assert name in difference(WEIGHTS, before, outputs.weights(tmp_path / "c"), CLOSE)


def test_a_changed_help_is_noticed() -> None:
    verb, text = next(iter(HELPS.items()))
    assert check.text_difference(verb, text, text) == ""
    assert check.text_difference(verb, text, text + "more\n").endswith("'more', and was 'nothing'")
