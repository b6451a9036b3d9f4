"""``data.balance=font``: every style equally often, however many pairs it has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch

from fontgan.data.augment import Augmentation
from fontgan.data.batches import FONT, PAIR, PairSampler
from fontgan.data.pack import Pack, make_pack
from fontgan.data.pairs import plan_pairs
from tests.helpers import BRUSH, KAI, SOURCE, TINY, XIAOWEI, part_of, two_and_two_steps_are_four

CHARS = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年"
FEW = 7


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("packs")
    few = part_of(BRUSH, CHARS[:FEW], folder / "few.ttf")
    targets = {"kai": str(KAI), "few": str(few), "xiaowei": str(XIAOWEI)}
    return make_pack(plan_pairs(str(SOURCE), targets, charset=CHARS, size=64, holdout=0), folder)


def sampler(pack: Pack, balance: str, rank: int = 0, world_size: int = 1, **more: int) -> PairSampler:
    return PairSampler(
        pack, batch_size=6, seed=3, augment=Augmentation(), balance=balance, rank=rank, world_size=world_size, **more
    )


def names(made: PairSampler, count: int, first: int = 0) -> list[str]:
    return [name for index in range(first, first + count) for name in made.batch(index).names]


def test_every_style_comes_equally_often(pack: Pack) -> None:
    for index in range(40):  # of three styles two each in six pairs
        found = Counter(name.split(":")[0] for name in sampler(pack, FONT).batch(index).names)
        assert found == {"kai": 2, "few": 2, "xiaowei": 2}


def test_by_pair_a_style_comes_as_often_as_it_has_pairs(pack: Pack) -> None:
    total = 2 * len(CHARS) + FEW
    found = Counter(name.split(":")[0] for name in names(sampler(pack, PAIR), 2 * total)[: 2 * total])
    assert found == {"kai": 2 * len(CHARS), "few": 2 * FEW, "xiaowei": 2 * len(CHARS)}


def test_each_style_goes_through_all_of_its_pairs_before_one_comes_again(pack: Pack) -> None:
    seen = names(sampler(pack, FONT), 120)
    for style, chars in (("kai", CHARS), ("few", CHARS[:FEW]), ("xiaowei", CHARS)):
        own = [name.split(":")[1] for name in seen if name.startswith(f"{style}:")]
        rounds = [own[start : start + len(chars)] for start in range(0, len(own) - len(chars) + 1, len(chars))]
        assert len(rounds) >= 4
        for each in rounds:
            assert sorted(each) == sorted(chars)
        assert rounds[0] != rounds[1]


def test_any_batch_can_be_had_at_once_and_in_parts(pack: Pack) -> None:
    walked = sampler(pack, FONT, shots=2)
    for index in range(30):
        walked.batch(index)
    batch, fresh = walked.batch(25), sampler(pack, FONT, shots=2).batch(25)
    assert batch.names == fresh.names
    for name in ("inputs", "target", "style", "references"):
        assert torch.equal(getattr(batch, name), getattr(fresh, name))
    parts = [sampler(pack, FONT, rank, 3, shots=2).batch(25) for rank in range(3)]
    assert [name for part in parts for name in part.names] == batch.names
    assert torch.equal(torch.cat([part.inputs for part in parts]), batch.inputs)


def test_two_and_two_steps_are_four(tmp_path: Path) -> None:
    few = part_of(BRUSH, CHARS[:12], tmp_path / "few.ttf")
    command = [
        "train",
        *TINY,
        f"data.targets={{kai: {KAI}, few: {few}}}",
        "data.balance=font",
        "trainer.precision=fp32",
    ]
    two_and_two_steps_are_four(command, tmp_path)


def test_a_wrong_balance_gets_one_line(refused, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    line = refused("train", *TINY, "data.balance=glyph", f"out={tmp_path / 'run'}")
    assert "data.balance=glyph" in line
    assert "font" in line
    assert "pair" in line
