"""Fuzzing of what is read as text: names, charsets, manifests, pack indexes, checkpoints' descriptions.

Each of them takes anything, and gives what it promises or raises the error that it promises.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import time
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from fontgan.data.charset import MAX_BYTES, resolve, visible
from fontgan.data.frame import MAX_TRANSFORM, Frame
from fontgan.data.image_source import MANIFEST, FolderGlyphs, name_from_char
from fontgan.data.name_reading import char_from_name
from fontgan.data.pack import open_pack
from fontgan.data.pack_shards import SUMS, shard_name
from fontgan.data.pairs import name_styles
from fontgan.errors import DataError, RunError, one_line, shorten
from fontgan.fontfile.metrics import choose_layout, drawn_baseline
from fontgan.generate.inference import load
from fontgan.runtime.checksums import SEAL, file_sum, sealed
from fontgan.training.checkpoint import open_checkpoint
from fontgan.untrusted.plain_json import read_json

from .small_pack import write_small_pack

pytestmark = pytest.mark.slow

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
# Every code point, those that no UTF-8 has among them, and often those that do harm.
text = st.text(st.characters() | st.sampled_from("\0\n\r\x1b\x7f\u0301\u200b\u202e\u2028\ud800\udcff/\\.~+-$'\"<"))
quick = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def changed(content: Any, data: st.DataObject) -> Any:
    """JSON with one place of it, however deep, replaced by anything, taken out or added to."""
    if isinstance(content, dict) and content and data.draw(st.integers(0, 4)):
        key = data.draw(st.sampled_from(sorted(content)))
        rest = {k: v for k, v in content.items() if k != key}
        return rest if data.draw(st.integers(0, 9)) == 0 else rest | {key: changed(content[key], data)}
    if isinstance(content, list) and content and data.draw(st.integers(0, 4)):
        place = data.draw(st.integers(0, len(content) - 1))
        return [*content[:place], changed(content[place], data), *content[place + 1 :]]
    return data.draw(anything)


def write(file: Path, content: object) -> None:
    file.write_text(json.dumps(content), encoding="utf-8")


# -- names and text ---------------------------------------------------------------------------


@given(text)
@settings(quick, max_examples=1000)
@example("U+110000")
@example("\udcff")
@example("uniD800")
@example("0" * 300)
def test_a_name_stands_for_one_visible_character_or_none(stem: str) -> None:
    char = char_from_name(stem)
    if char is not None:
        assert len(char) == 1
        assert unicodedata.category(char)[0] != "Z"
        assert unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Cn")
        assert char_from_name(name_from_char(char)) == char
        char.encode()


@given(st.from_regex(r"([uU]\+?|uni)?[0-9A-Fa-f]{3,8}", fullmatch=True))
def test_hexadecimal_names_do_not_lead_out_of_unicode(stem: str) -> None:
    char = char_from_name(stem)
    assert char is None or len(char) == 1


@given(text)
@example("\u202eabc\n\x1b[2J\udcff")
def test_whatever_is_said_is_one_harmless_line(said: str) -> None:
    for line in (one_line(said), str(DataError(said)), shorten([said, said])):
        assert line.isprintable()
        line.encode("utf-8")
    assert one_line(one_line(said)) == one_line(said)


@given(text)
@quick
@example("~nobody/x.txt")
@example("/" * 5000)
@example("a/\0.txt")
@example("x" * 300 + "/.txt")
@example("\udcff.txt")
def test_a_charset_gives_visible_characters_or_an_error(spec: str) -> None:
    try:
        chars = resolve(spec)
    except DataError:
        return
    assert chars is None or all(len(char) == 1 and unicodedata.category(char)[0] not in "CZ" for char in chars)
    assert chars is None or (chars and len(set(chars)) == len(chars))


@given(content=st.binary(max_size=60) | text.map(lambda t: t.encode("utf-8", "surrogatepass")))
@quick
def test_a_charset_file_of_any_bytes(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(content)
    try:
        chars = resolve(str(file))
    except DataError:
        return
    assert chars == visible(content.decode("utf-8-sig"))


def test_charset_files_that_would_hang_or_fill_the_memory(tmp_path: Path) -> None:
    marks = tmp_path / "marks.txt"
    marks.write_text("a" + "\u0301\u0316" * 500_000, encoding="utf-8")  # composing takes the square of their number
    start = time.monotonic()
    assert resolve(str(marks)) is not None
    assert time.monotonic() - start < 10
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    os.mkfifo(tmp_path / "pipe.txt")
    for file, said in ((huge, "are read at most"), (tmp_path / "pipe.txt", "no such file")):
        with pytest.raises(DataError, match=said):
            resolve(str(file))


@given(st.lists(text, max_size=3) | st.dictionaries(text, text, max_size=3))
@example(["~0"])
@quick
def test_styles_are_named_or_refused(targets: list[str] | dict[str, str]) -> None:
    try:
        named = name_styles(targets)
    except DataError:
        return
    assert all("/" not in name and name.isprintable() and not name.startswith(".") for name in named)


# -- manifests --------------------------------------------------------------------------------


@given(anything | st.fixed_dictionaries({"scale": anything, "dx": anything, "dy": anything}))
@quick
@example({"scale": math.nan, "dx": 0, "dy": 0})
@example({"scale": 10**400, "dx": 0, "dy": 0})
@example({"scale": 1e-300, "dx": 0, "dy": 0})
def test_a_frame_is_finite_or_refused(stored: object) -> None:
    try:
        frame = Frame.from_dict(stored)
    except ValueError:
        return
    assert Frame.from_dict(json.loads(json.dumps(frame.as_dict()))) == frame
    back = frame.inverse()
    assert all(map(math.isfinite, (back.scale, back.dx, back.dy)))
    assert 1 / MAX_TRANSFORM <= frame.scale <= MAX_TRANSFORM


GOOD_MANIFEST = {
    "size": 64, "cell_to_canvas": {"scale": 50.0, "dx": 3.0, "dy": -4.0}, "advances": {"一": 1000},
    "to_cell": {"units_per_em": 1000, "baseline": 880}, "font": {"to_cell": {"units_per_em": 1000, "baseline": 880}},
}  # fmt: skip


def manifest_is_read_or_refused(folder: Path) -> None:
    Image.fromarray(np.pad(np.zeros((3, 4), np.uint8), 6, constant_values=255)).save(folder / "一.png")
    with contextlib.suppress(DataError):
        drawn = FolderGlyphs(folder).rasterize("一", Frame(64.0), 64)
        assert drawn.shape == (64, 64)
    with contextlib.suppress(DataError):
        layout = choose_layout(folder)
        assert 0 < layout.units_per_em <= 16384
        assert math.isfinite(layout.baseline)
        assert all(0 <= width <= 1e8 for width in layout.advances.values())
    with contextlib.suppress(DataError):
        baseline = drawn_baseline(folder)
        assert baseline is None or math.isfinite(baseline)


@given(data=st.data())
@quick
def test_any_manifest(data: st.DataObject, tmp_path: Path) -> None:
    write(tmp_path / MANIFEST, changed(GOOD_MANIFEST, data))
    manifest_is_read_or_refused(tmp_path)


@given(content=st.binary(max_size=80))
@settings(quick, max_examples=100)
def test_a_manifest_of_any_bytes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    manifest_is_read_or_refused(tmp_path)


@given(content=st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()))
@settings(quick, max_examples=200)
@example(content=b"[" * 10**6)
@example(content=b'{"a":' * 10**5)
@example(content=b"9" * 10**5)
def test_json_from_outside_raises_nothing_else(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "any.json"
    file.write_bytes(content)
    with contextlib.suppress(ValueError):
        read_json(file)


# -- packs ------------------------------------------------------------------------------------


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """Three rows of 4 by 4 pixels."""
    folder = tmp_path / "pack"
    folder.mkdir()
    write_small_pack(folder, shard_rows=2)
    return folder


def pack_is_read_or_refused(folder: Path) -> bool:
    """Returns: whether it was read."""
    try:
        opened = open_pack(folder)
        opened.pixels.verify()
    except DataError:
        return False
    assert opened.pixels.shape[0] == sum(map(len, read_json(folder / "index.json")["blocks"].values()))
    for rows in (*opened.rows.values(), *(rows for inputs in opened.inputs.values() for rows in inputs)):
        assert rows.first + len(rows) <= opened.pixels.shape[0]
    return True


@given(data=st.data())
@quick
def test_any_pack_index(data: st.DataObject, pack: Path) -> None:
    """With the sum that it should have, which whoever changes an index on purpose can reckon too."""
    index = read_json(pack / "index.json")
    index.pop(SEAL)
    content = changed(index, data)
    if isinstance(content, dict) and SEAL not in content:
        (pack / "index.json").write_bytes(sealed(content).encode("utf-8", "backslashreplace"))
    else:
        write(pack / "index.json", content)
    pack_is_read_or_refused(pack)
    (pack / "index.json").write_text(sealed(index), encoding="utf-8")


@given(data=st.data())
@quick
def test_every_bit_of_a_pack_counts(data: st.DataObject, pack: Path) -> None:
    file = pack / data.draw(st.sampled_from(["index.json", SUMS, shard_name(0), shard_name(1)]))
    whole = file.read_bytes()
    broken = bytearray(whole)
    what = data.draw(st.sampled_from(["flip", "cut", "add", "zero"]))
    at = data.draw(st.integers(0, len(whole) - 1))
    if what == "flip":
        broken[at] ^= 1 << data.draw(st.integers(0, 7))
    elif what == "cut":
        del broken[at:]
    elif what == "add":
        broken += data.draw(st.binary(min_size=1, max_size=9))
    else:
        broken[at:] = bytes(len(whole) - at)
    file.write_bytes(broken)
    try:
        # White space at the end of the index changes nothing that it says.
        same = file.name == "index.json" and _same_json(bytes(broken), whole)
        assert pack_is_read_or_refused(pack) == (bytes(broken) == whole or same)
    finally:
        file.write_bytes(whole)
    assert pack_is_read_or_refused(pack)


def _same_json(first: bytes, second: bytes) -> bool:
    try:
        return bool(json.loads(first) == json.loads(second))
    except ValueError:
        return False


def test_a_shard_whose_header_is_half_a_python_text_is_refused(pack: Path) -> None:
    """numpy's reader of headers stumbles over it with an error of its own; found by the fuzzer."""
    file = pack / shard_name(0)
    for old, new in ((b"}", b" "), (b")", b"("), (b"'", b"\\"), (b"\n", b"("), (b"{", b"\0")):
        whole = file.read_bytes()
        file.write_bytes(whole.replace(old, new, 1))
        assert not pack_is_read_or_refused(pack)
        file.write_bytes(whole)


def test_a_pack_that_says_to_be_huge_takes_no_memory(pack: Path) -> None:
    for change in (
        {"shard_rows": 10**12},
        {"shard_rows": 1},
        {"blocks": {"/0": "一" * 10**5, "kai": "一"}},
        {"manifest": {"size": 10**9}},
    ):
        index = read_json(pack / "index.json")
        index.pop(SEAL)
        sums = file_sum((pack / SUMS).read_bytes())
        (pack / "index.json").write_text(sealed(index | change | {"checksums": sums}), encoding="utf-8")
        assert not pack_is_read_or_refused(pack) or change == {"shard_rows": 10**12}


# -- checkpoints ------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tiny_run: Path, tmp_path: Path) -> Path:
    """The newest of a short real training, to be broken."""
    newest = max((file.parent for file in tiny_run.rglob("run.json")), key=lambda folder: folder.name)
    return Path(shutil.copytree(newest, tmp_path / "checkpoint"))


@given(data=st.data())
@settings(quick, max_examples=150)
def test_any_description_of_a_checkpoint(data: st.DataObject, checkpoint: Path) -> None:
    file = checkpoint / "run.json"
    whole = file.read_text(encoding="utf-8")
    metadata = json.loads(whole)
    metadata.pop(SEAL, None)
    content = changed(metadata, data)
    if isinstance(content, dict) and SEAL not in content:
        file.write_bytes(sealed(content).encode("utf-8", "backslashreplace"))
    else:
        write(file, content)
    try:
        with contextlib.suppress(RunError):
            open_checkpoint(checkpoint)
    finally:
        file.write_text(whole, encoding="utf-8")


@given(content=st.binary(max_size=100))
@settings(quick, max_examples=50)
def test_a_description_of_any_bytes(content: bytes, checkpoint: Path) -> None:
    file = checkpoint / "run.json"
    whole = file.read_bytes()
    file.write_bytes(content)
    with pytest.raises(RunError):
        open_checkpoint(checkpoint)
    file.write_bytes(whole)


def test_every_file_of_a_checkpoint_is_looked_at(checkpoint: Path) -> None:
    """One bit of each, in its middle, is enough to be refused when it is used."""
    torch.manual_seed(0)
    load(str(checkpoint), device="cpu")
    for file in sorted(checkpoint.iterdir()):
        if file.name not in ("run.json", "config.yaml", "generator.safetensors"):
            continue
        whole = file.read_bytes()
        broken = bytearray(whole)
        broken[len(whole) // 2] ^= 1
        file.write_bytes(broken)
        with pytest.raises(RunError):
            load(str(checkpoint), device="cpu")
        file.write_bytes(whole)
