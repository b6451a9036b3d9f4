"""A few cases of every fault. ``python -m tests.faults`` tries many more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from fontgan.data.pack import open_pack
from fontgan.errors import DataError, RunError
from fontgan.training.checkpoint import open_checkpoint

from .catalogue import FAULTS
from .lab import Lab, SkippedTry

pytestmark = pytest.mark.slow

SEED = 7


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("faults")) as lab:
        yield lab


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.quick])
def test_nothing_is_lost(name: str, lab: Lab) -> None:
    fault = FAULTS[name]
    skipped = []
    for case in fault.cases(lab, Random(f"{SEED}/{name}"), fault.quick):
        try:
            tried = lab.attempt(fault, case)
        except SkippedTry as reason:
            skipped.append(str(reason))
            continue
        assert not tried.problems, f"{case.title}: {'; '.join(tried.problems)}"
    if len(skipped) == fault.quick:
        pytest.skip(skipped[0])


@pytest.mark.parametrize("name", ["run.json", "index.json"])
def test_no_bit_of_a_description_changes_unnoticed(name: str, lab: Lab, tmp_path: Path) -> None:
    """Those of the seal itself among them; a last digit that makes no other number changes nothing."""
    whole = lab.half.newest() if name == "run.json" else next(lab.half.cache.glob("packs/[!.]*"))
    shutil.copytree(whole, tmp_path / "it")
    data = (whole / name).read_bytes()
    seal = data.rindex(b'"sha256"')
    bits = list(range(8 * seal, 8 * len(data))) + Random(SEED).sample(range(8 * len(data)), 300)
    unnoticed = []
    for bit in bits:
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        (tmp_path / "it" / name).write_bytes(changed)
        try:
            (open_checkpoint if name == "run.json" else open_pack)(tmp_path / "it")
        except (RunError, DataError):
            continue
        if json.loads(changed) != json.loads(data):
            unnoticed.append(bytes(changed[bit // 8 - 20 : bit // 8 + 20]))
    assert not unnoticed
