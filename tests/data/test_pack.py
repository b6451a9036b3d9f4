"""Packs on disk: shards, damage, drawing by several processes; and how their pixels become batches."""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.random import SeedSequence
from PIL import Image

from fontgan.data import pack_shards as pixels
from fontgan.data import pack_writer
from fontgan.data import pixel_store as store
from fontgan.data.augment import Augmentation
from fontgan.data.batches import GlyphBatch, PairSampler, collate_pairs, pairs_of
from fontgan.data.frame import Frame
from fontgan.data.pack import Pack, make_pack, open_pack
from fontgan.data.pairs import plan_pairs
from fontgan.data.pixel_store import Prefetch, ResidentPixels, StreamedPixels, choose_store
from fontgan.data.plan import PairPlan
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError, RunError
from fontgan.runtime import subprocesses
from fontgan.runtime.locks import hold
from fontgan.values import image_from_pixels
from tests import pool
from tests.helpers import BRUSH, KAI, SOURCE, box, make_font

CHARS = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
CPU = torch.device("cpu")


def plan(charset: str = CHARS, size: int = 64) -> PairPlan:
    return plan_pairs(str(SOURCE), {"kai": str(KAI), "brush": str(BRUSH)}, charset=charset, size=size)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """In shards of seven rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixels, "SHARD_BYTES", 7 * 64 * 64 + 5)
        return make_pack(plan(), tmp_path_factory.mktemp("packs"))


def drawn_one_by_one(split: PairPlan) -> np.ndarray:
    """The styles, then the source as each of them has it."""
    drawn = [(style, style.canvas) for style in split.styles]
    drawn += [(style.source.entry, style.frame_of(style.source)) for style in split.styles]
    return np.stack(
        [member.glyphs.rasterize(c, frame, split.size) for member, frame in drawn for c in member.coverage.present]
    )


# -- shards ---------------------------------------------------------------------------------


def test_rows_are_found_wherever_they_are(pack: Pack) -> None:
    whole = drawn_one_by_one(plan())
    shards = sorted(pack.path.glob("pixels-*.npy"))
    assert len(shards) == -(-len(whole) // 7) > 3
    assert np.array_equal(np.concatenate([np.load(shard) for shard in shards]), whole)
    assert pack.pixels.shape == whole.shape
    assert pack.pixels.nbytes == whole.nbytes
    for key in (
        0, -1, 6, 7, slice(None), slice(5, 16), slice(20, 2, -3), [], [3], [20, 0, 1, 2, 6, 7, 8, 20], [[1, 2], [15, 0]],
        np.arange(len(whole))[::-1],
    ):  # fmt: skip
        assert np.array_equal(pack.pixels[key], whole[key if not isinstance(key, list) else np.array(key, int)])
    for beyond in (len(whole), -len(whole) - 1, [0, len(whole)]):
        with pytest.raises(IndexError):
            pack.pixels[beyond]
    with pytest.raises(IndexError):
        pack.pixels[[0.5]]  # type: ignore[list-item]


def test_opening_reads_no_pixels_and_shards_are_opened_when_they_are_needed(pack: Pack) -> None:
    def shards() -> set[str]:
        found = set()
        for link in Path("/proc/self/fd").iterdir():
            try:
                found.add(link.readlink())
            except OSError:  # that of the listing itself
                continue
        return {file.name for file in found if file.parent == pack.path}

    fresh = open_pack(pack.path)
    before = shards()
    fresh.pixels[[8, 22]]
    assert {"pixels-00001.npy", "pixels-00003.npy"} <= shards()
    assert shards() - before <= {"pixels-00001.npy", "pixels-00003.npy"}


def test_rows_of_characters(pack: Pack) -> None:
    rows = pack.rows["brush"]
    assert list(rows) == list(CHARS)
    assert len(rows) == len(CHARS)
    assert rows["的"] == len(CHARS)
    assert [rows[char] for char in CHARS] == list(range(len(CHARS), 2 * len(CHARS)))
    assert [pack.source_rows(style)["的"] for style in pack.styles] == [2 * len(CHARS), 3 * len(CHARS)]
    assert rows.find("一龘的").tolist() == [rows["一"], -1, rows["的"]]
    assert rows.find([]).tolist() == []
    assert "龘" not in rows
    assert "的一" not in rows
    assert "" not in rows
    assert rows.get("龘") is None
    with pytest.raises(KeyError):
        rows["龘"]


def test_a_pack_of_another_format_is_refused_with_both_numbers(pack: Pack, tmp_path: Path) -> None:
    index = json.loads((pack.path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({**index, "format": 2}))
    with pytest.raises(DataError, match="has format 2, and this version reads 4"):
        open_pack(tmp_path)


@pytest.mark.parametrize(
    "damage", ["missing", "short", "long", "empty", "other type", "shards", "size", "rows", "no json"]
)
def test_damage_is_told_at_opening(damage: str, pack: Pack, tmp_path: Path) -> None:
    for file in pack.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    shard, index = tmp_path / "pixels-00002.npy", json.loads((tmp_path / "index.json").read_text())
    data = shard.read_bytes()
    if damage == "missing":
        shard.unlink()
    elif damage in ("short", "long", "empty"):
        shard.write_bytes({"short": data[:-1], "long": data + b"0", "empty": b""}[damage])
    elif damage == "other type":
        np.save(shard, np.zeros((7, 64, 64), np.int8))
    elif damage == "no json":
        (tmp_path / "index.json").write_text("{")
    else:
        if damage == "shards":
            index["shard_rows"] = 0
        elif damage == "size":
            index["manifest"]["size"] = 32
        else:
            index["blocks"]["kai"] += "龘"
        (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match=r"is damaged .*Delete that folder"):
        open_pack(tmp_path)


def flip_bit(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 4
    file.write_bytes(data)


@pytest.mark.parametrize("name", ["pixels-00001.npy", "checksums.npy", "index.json"])
def test_a_single_bit_that_flipped_is_told(name: str, pack: Pack, tmp_path: Path) -> None:
    """At opening, or for pixels when their row is read; the rows beside it are read as before."""
    for file in pack.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    flip_bit(tmp_path / name, -100)
    if name != "pixels-00001.npy":
        with pytest.raises(DataError, match=r"is damaged .*checksum"):
            open_pack(tmp_path)
        return
    damaged = open_pack(tmp_path).pixels
    assert np.array_equal(damaged[:13], pack.pixels[:13])
    assert np.array_equal(damaged[14:], pack.pixels[14:])
    for rows in (13, [2, 13, 5], slice(None)):
        with pytest.raises(DataError, match=r"pixels-00001\.npy: the pack is damaged \(row 6 does not fit"):
            damaged[rows]
    with pytest.raises(DataError, match="row 6"):
        damaged.verify()


@pytest.mark.parametrize("damage", ["bit", "shard", "index", "emptied", "all gone"])
def test_a_damaged_pack_is_named_and_made_again(damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pack = make_pack(plan(), tmp_path)
    before = files_of(pack.path)
    shard = pack.path / "pixels-00000.npy"
    if damage == "bit":
        flip_bit(shard, -5000)
    elif damage == "shard":
        shard.unlink()
    elif damage == "index":
        (pack.path / "index.json").write_text("{")
    else:
        for file in pack.path.iterdir():
            file.write_bytes(b"") if damage == "emptied" else file.unlink()
    with caplog.at_level("WARNING", logger="fontgan"):
        again = make_pack(plan(), tmp_path)
    (told,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert str(pack.path) in told
    assert "is damaged" in told
    assert told.endswith("It is made again.")
    assert files_of(again.path) == before
    assert os.listdir(tmp_path / "packs") == [pack.path.name]


def test_what_a_killed_packing_left_is_removed_by_the_next_unless_it_is_at_work(tmp_path: Path) -> None:
    left = tmp_path / "packs" / f".{'0' * 24}-abcdefgh"
    left.mkdir(parents=True)
    (left / "pixels-00000.npy").write_bytes(b"half")
    with hold(left / ".lock"):  # by a process at work
        make_pack(plan(), tmp_path)
        assert left.is_dir()
    make_pack(plan(size=128), tmp_path)
    assert not left.exists()
    assert len(os.listdir(tmp_path / "packs")) == 2


def test_a_file_cut_off_while_it_is_read_is_told(pack: Pack, tmp_path: Path) -> None:
    for file in pack.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    opened = open_pack(tmp_path)
    os.truncate(tmp_path / "pixels-00000.npy", 5000)
    with pytest.raises(DataError, match="cut off while it was read"):
        opened.pixels[6]


def test_few_shards_are_open_at_once_and_none_is_closed_under_a_reader(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "OPEN_SHARDS", 2)
    whole, opened = pack.pixels[:], open_pack(pack.path).pixels

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    assert np.array_equal(opened[::-1], whole[::-1])
    assert descriptors() == before + 2

    read_into, wrong = pixels._OpenFile.read_into, []

    def slow(file: pixels._OpenFile, *args: Any) -> int:
        time.sleep(0.001)  # meanwhile the others open and drop other shards
        return read_into(file, *args)

    def read(seed: int) -> None:
        try:
            for row in np.random.default_rng(seed).permutation(len(whole)):
                if not np.array_equal(opened[int(row)], whole[row]):
                    wrong.append(row)
        except OSError as error:
            wrong.append(error)

    monkeypatch.setattr(pixels._OpenFile, "read_into", slow)
    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert descriptors() == before + 2


# -- drawing by several processes ----------------------------------------------------------


@pytest.fixture
def always_pooled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes start however little there is to draw."""
    monkeypatch.setattr(pack_writer, "MIN_S_PER_PROCESS", 1e-9)


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def watched(monkeypatch: pytest.MonkeyPatch, watch: Callable[[Path], object]) -> None:
    """Calls ``watch`` with the pack's folder whenever this process begins a chunk; others do not know of it."""
    draw = pack_writer.PackJob.draw_chunk

    def draw_chunk(self: pack_writer.PackJob, chunk: int) -> int:
        watch(self.writer.folder)
        return draw(self, chunk)

    monkeypatch.setattr(pack_writer.PackJob, "draw_chunk", draw_chunk)


def test_the_bytes_do_not_depend_on_the_number_of_processes(
    tmp_path: Path, always_pooled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = plan("gb2312-1", size=128)
    one = make_pack(split, tmp_path / "one", workers=1)
    mine: list[Path] = []
    watched(monkeypatch, mine.append)
    three = make_pack(split, tmp_path / "three", workers=3)
    assert len(mine) == 1  # the others were drawn by other processes
    assert one.path.name == three.path.name
    assert files_of(one.path) == files_of(three.path)


def plan_of_images(folder: Path) -> PairPlan:
    """A font and a folder of 30 images, at a size where a chunk has four glyphs."""
    folder.mkdir()
    font = open_glyphs(str(KAI))
    for char in CHARS[:30]:
        Image.fromarray(font.rasterize(char, Frame(64), 64)).save(folder / f"{char}.png")
    return plan_pairs(str(SOURCE), {"mine": str(folder)}, charset=CHARS, size=512)


def test_a_folder_of_images_is_drawn_by_several_processes_too(tmp_path: Path, always_pooled: None) -> None:
    split = plan_of_images(tmp_path / "mine")
    one = make_pack(split, tmp_path / "one", workers=1)
    assert files_of(make_pack(split, tmp_path / "two", workers=2).path) == files_of(one.path)


def test_a_small_pack_starts_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocesses, "ProcessPoolExecutor", None)  # calling it would raise
    assert len(make_pack(plan(), tmp_path, workers=8).pixels) == 4 * len(CHARS)


def test_a_killed_process_is_told_in_a_line_and_nothing_is_kept(
    tmp_path: Path, always_pooled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = plan("gb2312-1", size=128)
    monkeypatch.setattr(subprocesses, "_begin", pool.begin_slow_packing)

    def kill() -> None:
        while not (found := pool.processes_of(os.getpid())):
            time.sleep(0.01)
        os.kill(found[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(RunError, match=r"draws glyphs for the pack was killed.*data.workers=1"):
        make_pack(split, tmp_path, workers=3)
    killer.join()
    assert not list((tmp_path / "packs").iterdir())
    assert not pool.processes_of(os.getpid())


# -- glyphs that change meanwhile ----------------------------------------------------------


TWO = {"一": box(0, 300, 900, 400), "二": box(0, 100, 900, 700)}
OTHER_TWO = {"一": box(0, 0, 100, 100), "二": box(0, 0, 200, 100)}


def test_a_font_draws_what_was_hashed_whatever_becomes_of_its_file(tmp_path: Path) -> None:
    """Overwritten in place, too, which a map of the file would show."""
    path, frame = make_font(tmp_path / "a.ttf", TWO), Frame(64)
    before = open_glyphs(str(path))
    drawn, key = before.rasterize("二", frame, 64), before.fingerprint(["二"])
    font = open_glyphs(str(path))
    path.write_bytes(make_font(tmp_path / "b.ttf", OTHER_TWO).read_bytes())
    assert np.array_equal(font.rasterize("二", frame, 64), drawn)
    assert font.fingerprint(["二"]) == key
    assert font.describe() == before.describe()
    assert not np.array_equal(open_glyphs(str(path)).rasterize("二", frame, 64), drawn)


def test_a_font_replaced_before_a_process_opens_it_is_told_and_no_pack_is_kept(
    tmp_path: Path, always_pooled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.ttf"
    path.write_bytes(KAI.read_bytes())
    split = plan_pairs(str(SOURCE), {"kai": str(path)}, charset=CHARS, size=512)

    def replace(_: Path) -> None:
        (tmp_path / "new").write_bytes(BRUSH.read_bytes())
        (tmp_path / "new").rename(path)

    watched(monkeypatch, replace)
    with pytest.raises(DataError, match=r"a\.ttf: was changed while it was packed\. Start again\.$"):
        make_pack(split, tmp_path / "cache", workers=2)
    assert not list((tmp_path / "cache" / "packs").iterdir())


@pytest.mark.parametrize("surveyed", [True, False])
def test_an_image_that_is_no_longer_the_one_hashed_is_told(surveyed: bool, tmp_path: Path) -> None:
    split = plan_of_images(tmp_path / "mine")
    if surveyed:
        draw = partial(make_pack, split, tmp_path / "cache", workers=1)
    else:
        glyphs = open_glyphs(str(tmp_path / "mine"))
        glyphs.fingerprint(list(CHARS[:30]))
        draw = partial(glyphs.rasterize, CHARS[9], Frame(64), 64)
    image = tmp_path / "mine" / f"{CHARS[9]}.png"
    Image.fromarray(open_glyphs(str(BRUSH)).rasterize(CHARS[9], Frame(64), 64)).save(image)
    with pytest.raises(DataError, match=rf"{CHARS[9]}\.png: was changed while its folder was in use\. Start again\."):
        draw()
    if surveyed:
        assert not list((tmp_path / "cache" / "packs").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["an image is gone", "a shard is gone"])
def test_what_a_process_raises_is_raised_here(
    trouble: str, tmp_path: Path, always_pooled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = plan_of_images(tmp_path / "images")
    monkeypatch.setattr(pixels, "SHARD_BYTES", 8 * split.size**2)  # two chunks

    def make(folder: Path) -> None:
        gone = (tmp_path / "images").iterdir() if trouble == "an image is gone" else [folder / "pixels-00001.npy"]
        for file in gone:
            file.unlink()

    watched(monkeypatch, make)
    kind, told = {"an image is gone": (DataError, "Replace it"), "a shard is gone": (OSError, "pixels-00001")}[trouble]
    with pytest.raises(kind, match=told):
        make_pack(split, tmp_path / "cache", workers=2)
    assert not list((tmp_path / "cache" / "packs").iterdir())


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fontgan.data.pairs import plan_pairs;"
        "from fontgan.data import pack, pack_writer; from fontgan.runtime import subprocesses; from tests import pool;"
        "pack_writer.MIN_S_PER_PROCESS = 1e-9; subprocesses._begin = pool.begin_slow_packing;"
        f"p = plan_pairs({str(SOURCE)!r}, {{'kai': {str(KAI)!r}, 'brush': {str(BRUSH)!r}}}, charset='gb2312-1', size=512);"
        "pack.make_pack(p, Path(sys.argv[1]), workers=2)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while not (workers := pool.processes_of(process.pid)):
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]
    assert process.returncode != 0
    assert told.count("Traceback") == 1
    assert "KeyboardInterrupt" in told
    assert not list((tmp_path / "packs").iterdir())


def test_fonts_are_pickled_as_what_they_were_opened_from(tmp_path: Path) -> None:
    font = open_glyphs(str(make_font(tmp_path / "a.ttf", {"一": box(0, 300, 900, 400), "二": box(0, 100, 900, 700)})))
    copy = pickle.loads(pickle.dumps(font))  # noqa: S301
    frame = Frame(64)
    assert np.array_equal(copy.rasterize("二", frame, 64), font.rasterize("二", frame, 64))
    assert copy.ink_box("一") == font.ink_box("一")
    assert copy.coverage(None) == font.coverage(None)
    assert copy.fingerprint(["一"]) == font.fingerprint(["一"])
    assert copy.describe() == font.describe()


# -- batches --------------------------------------------------------------------------------


def mixed(*parts: int) -> torch.Generator:
    seed = int(SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator().manual_seed(seed)


def plainly_drawn(pack: Pack, index: int, batch_size: int, seed: int, augment: Augmentation, shots: int) -> GlyphBatch:
    """What a batch is, written down one pair at a time: the order of the draws is part of what a seed means."""
    pairs = [(style, char) for style in pack.styles for char in pack.trained if char in pack.rows[style]]
    picked = []
    for glyph in range(index * batch_size, (index + 1) * batch_size):
        epoch, place = divmod(glyph, len(pairs))
        picked.append(pairs[int(torch.randperm(len(pairs), generator=mixed(seed, 1, epoch))[place])])
    batch = collate_pairs(pack, picked)
    both = augment(torch.cat([batch.inputs, batch.target], dim=1), mixed(seed, 2, index))
    batch.inputs, batch.target = both[:, :-1], both[:, -1:]
    if shots:
        generator, references = mixed(seed, 3, index), []
        for style, char in picked:
            others = [pack.rows[style][c] for c in pack.trained if c in pack.rows[style] and c != char]
            if len(others) >= shots:
                places = torch.randperm(len(others), generator=generator)[:shots]
            else:
                places = torch.randint(len(others), (shots,), generator=generator)
            references.append([others[place] for place in places.tolist()])
        batch.references = image_from_pixels(pack.pixels[references])
    return batch


def assert_same(one: GlyphBatch, other: GlyphBatch) -> None:
    assert one.names == other.names
    for name in ("inputs", "target", "style", "references"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None)
        assert a is None or torch.equal(a, b), name


@pytest.mark.parametrize("shots", [0, 3, 200])
@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_batches_are_what_the_seed_says(shots: int, strength: float, pack: Pack) -> None:
    augment = Augmentation(strength=strength)
    known = pack.for_model(["old", "brush", "kai"])
    sampler = PairSampler(known, batch_size=6, seed=3, augment=augment, shots=shots)
    pairs = [(style, char) for style in pack.styles for char in pack.trained if char in pack.rows[style]]
    assert sampler.pairs.named(np.arange(len(sampler.pairs))) == pairs_of(pack, pack.trained) == pairs
    assert sampler.pairs.named(np.array([1, len(pairs) - 1])) == [pairs[1], ("brush", pack.trained[-1])]
    for index in (0, 1, 15, 16, 40, 3):  # the 16th has pairs of two epochs
        assert_same(sampler.batch(index), plainly_drawn(known, index, 6, 3, augment, shots))


STORES: list[Callable[[Pack], store.PixelStore]] = [
    lambda pack: ResidentPixels(pack.pixels, CPU),
    lambda pack: ResidentPixels(pack.pixels, CPU, ahead=2),
    lambda pack: StreamedPixels(pack.pixels, CPU),
    lambda pack: StreamedPixels(pack.pixels, CPU, ahead=2),
]


@pytest.mark.parametrize("make_store", STORES)
def test_all_stores_give_the_same_batches_in_any_order(
    make_store: Callable[[Pack], store.PixelStore], pack: Pack
) -> None:
    def sampler(chosen: store.PixelStore | None = None) -> PairSampler:
        return PairSampler(pack, batch_size=6, seed=3, augment=Augmentation(), shots=2, store=chosen)

    plain, other = sampler(), sampler(make_store(pack))
    for index in (0, 1, 2, 7, 6, 8, 100, 0):
        assert_same(plain.batch(index), other.batch(index))
    other.close()
    assert_same(plain.batch(4), other.batch(4))


@pytest.mark.parametrize("world_size", [2, 3])
def test_the_parts_of_all_processes_are_the_batch_of_one(world_size: int, pack: Pack) -> None:
    def sampler(rank: int, world_size: int) -> PairSampler:
        return PairSampler(
            pack, batch_size=6, seed=3, augment=Augmentation(), shots=2, rank=rank, world_size=world_size
        )

    parts = [sampler(rank, world_size) for rank in range(world_size)]
    for index in (0, 16):
        whole, shares = sampler(0, 1).batch(index), [part.batch(index) for part in parts]
        assert [name for share in shares for name in share.names] == whole.names
        for name in ("inputs", "target", "style", "references"):
            assert torch.equal(torch.cat([getattr(share, name) for share in shares]), getattr(whole, name))


def test_prefetching_works_ahead_and_passes_errors_on() -> None:
    made, threads = [], set()

    def make(number: int) -> int:
        made.append(number)
        threads.add(threading.current_thread())
        if number == 9:
            raise OSError("number 9 cannot be read")
        return number

    prefetch = Prefetch(make, ahead=2)
    assert [prefetch.get(number) for number in (0, 1, 2)] == [0, 1, 2]
    assert prefetch.get(7) == 7  # 3 and 4 are dropped
    assert prefetch.get(8) == 8  # 9 has failed by now, or will
    with pytest.raises(OSError, match="number 9"):
        prefetch.get(9)
    assert prefetch.get(10) == 10
    assert made.count(1) == 1
    assert threading.current_thread() not in threads
    prefetch.close()
    assert not any(thread.is_alive() for thread in threads)
    assert prefetch.get(11) == 11


def test_an_unreadable_pack_ends_the_training_loop_with_its_own_error(pack: Pack, tmp_path: Path) -> None:
    for file in pack.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    opened = open_pack(tmp_path)
    sampler = PairSampler(
        opened, batch_size=6, seed=3, augment=Augmentation(), store=StreamedPixels(opened.pixels, CPU, ahead=2)
    )
    for shard in tmp_path.glob("*.npy"):
        os.truncate(shard, 200)
    with pytest.raises(DataError, match="cut off"):
        sampler.batch(0)
    sampler.close()


def test_the_choice_of_the_store_is_told(pack: Pack, monkeypatch: pytest.MonkeyPatch, caplog) -> None:  # type: ignore[no-untyped-def]
    caplog.set_level(logging.INFO, "fontgan")
    chosen = choose_store(pack, CPU)
    assert isinstance(chosen, StreamedPixels)
    assert chosen.ahead == 0
    assert "read from its files" in caplog.messages[-1]
    # As on a CUDA device with just enough and with too little memory, without one.
    monkeypatch.setattr(ResidentPixels, "__init__", lambda self, pixels, device, ahead: setattr(self, "ahead", ahead))
    for free, kind, told in (
        (2 * pack.pixels.nbytes, ResidentPixels, "is kept on cuda"),
        (2 * pack.pixels.nbytes - 2, StreamedPixels, "read by a thread"),
    ):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        chosen = choose_store(pack, torch.device("cuda:0"))
        assert type(chosen) is kind
        assert chosen.ahead > 0
        assert told in caplog.messages[-1]


# -- large packs ----------------------------------------------------------------------------

LARGE = """
import sys, time
from pathlib import Path
from fontgan.data.augment import Augmentation
from fontgan.data.batches import PairSampler
from fontgan.data.pack import open_pack
from fontgan.bench.data import write_synthetic_pack

def resident():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024

write_synthetic_pack(Path(sys.argv[1]) / "small", styles=2, chars=1000, size=32)
def sample(pack, batches):
    sampler = PairSampler(pack, batch_size=64, seed=1, augment=Augmentation(strength=0))
    for index in range(batches):
        sampler.batch(index)
    return sampler
sample(open_pack(Path(sys.argv[1]) / "small"), 50)  # what torch takes once
write_synthetic_pack(Path(sys.argv[1]) / "large", styles=20, chars=10_000, size=32)
before, started = resident(), time.perf_counter()
pack = open_pack(Path(sys.argv[1]) / "large")
opened = time.perf_counter() - started
kept = sample(pack, 1500)
print(len(kept.pairs), pack.pixels.nbytes / 2**20, opened, resident() - before)
"""


@pytest.mark.slow
def test_a_large_pack_opens_at_once_and_memory_does_not_grow_with_it(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", LARGE, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    pairs, megabytes, opened_s, grown = map(float, ran.stdout.split())
    assert pairs == 20 * 9000
    assert megabytes > 200
    assert opened_s < 1
    assert grown < 0.25 * megabytes  # half of the rows were read
