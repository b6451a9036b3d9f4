"""Fonts and UFOs of strangers: the right glyphs, or one line; never a trace, a hang, or a filled memory."""

from __future__ import annotations

import io
import logging
import os
import pickle
import shutil
import signal
import struct
import time
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from fontgan.data.font_source import FontGlyphs
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError
from fontgan.fontfile.target import open_target
from fontgan.fontfile.ufo import read_ufo
from fontgan.untrusted import fonts as vet
from fontgan.untrusted import sandbox, sandbox_watched
from fontgan.untrusted import sandbox_forked as bounded
from fontgan.untrusted.sandbox import LimitExceeded, Limits, run_sandboxed
from tests.helpers import KAI, SOURCE, Here, box, error_line, fontgan, make_font

from . import fonts, ufos

pytestmark = pytest.mark.slow

ROOM = Limits(cpu_s=10, memory_bytes=256 << 20)
DEAR = (
    "chain of",
    "5000 groups",
    "all 32-bit",
    "2^60",
    "unpacks",
    "tables that are there",
    "8000 segments",
    "100000 times",
)


@pytest.fixture(autouse=True)
def _fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONTGAN_CACHE", str(tmp_path / "cache"))
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)


WORK = "tests.untrusted.strange_work"

# -- the bounded process ----------------------------------------------------------------------


@pytest.fixture(params=["forked", "watched"])
def sandbox_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox of Linux, and the one of other systems, which works here too."""
    if request.param == "watched":
        monkeypatch.setattr(sandbox, "ask", sandbox_watched.ask)


@pytest.mark.usefixtures("sandbox_of")
def test_a_bounded_process_answers_whatever_is_printed() -> None:
    data = os.urandom(3 << 20)
    assert run_sandboxed(f"{WORK}:say", data, ROOM) == data + b"!"


@pytest.mark.usefixtures("sandbox_of")
@pytest.mark.parametrize(
    ("function", "facts", "limits", "said"),
    [
        ("spin", {}, {"cpu_s": 0.5}, "takes more than 1 s"),
        ("fill", {}, {}, "more than 256 MB of memory"),
        ("end_by", {"number": int(signal.SIGSEGV)}, {}, "SIGSEGV"),
        ("stumble", {}, {}, "LookupError: � [2Jnot there".replace(" [", "[")),
    ],
)
def test_work_beyond_its_limits_is_stopped_and_the_next_is_done(
    function: str, facts: dict[str, float], limits: dict[str, float], said: str
) -> None:
    began = time.monotonic()
    with pytest.raises(LimitExceeded) as stopped:
        run_sandboxed(f"{WORK}:{function}", b"x", Limits(**{**vars(ROOM), **limits}), **facts)
    assert said in str(stopped.value)
    assert str(stopped.value).isprintable()
    assert time.monotonic() - began < 30
    assert run_sandboxed(f"{WORK}:say", b"x", ROOM) == b"x!"


def test_a_helper_that_was_killed_is_started_again() -> None:
    run_sandboxed(f"{WORK}:say", b"x", ROOM)
    os.kill(bounded._started[-1].process.pid, signal.SIGKILL)
    bounded._started[-1].process.wait()
    assert run_sandboxed(f"{WORK}:say", b"x", ROOM) == b"x!"


# -- fonts ------------------------------------------------------------------------------------


def test_every_hostile_font_is_drawn_right_or_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "fonts").mkdir()
    broken, outcomes = [], []
    for number, one in enumerate(fonts.every(tmp_path / "fonts")):
        # All of them: python -m tests.untrusted.fonts
        if any(words in one.name for words in DEAR) or (
            number % 2 and (", table " in one.name or "a bit turned" in one.name)
        ):
            continue
        began = time.process_time()
        outcome = fonts.attempt(one, tmp_path)
        outcomes.append(bool(outcome.said))
        broken += [f"{one.name}: {wrong}" for wrong in [fonts.wrong_with(one, outcome)] if wrong]
        assert time.process_time() - began < 10, one.name
    assert not broken
    assert sum(outcomes) > 120  # of each, or it is the corpus that is broken
    assert len(outcomes) - sum(outcomes) > 120


@pytest.fixture
def truetype(tmp_path: Path) -> bytes:
    return fonts.truetype(tmp_path)


def test_a_sound_font_is_looked_over_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(
        vet, "run_sandboxed", lambda *args, **facts: calls.append(facts) or run_sandboxed(*args, **facts)
    )
    path = make_font(tmp_path / "a.ttf", {"一": box(0, 300, 900, 400)})
    for _ in range(2):
        open_glyphs(str(path))
    shutil.copy(path, tmp_path / "same.ttf")
    open_glyphs(str(tmp_path / "same.ttf"))
    open_glyphs(str(SOURCE))  # the bundled ones are known
    assert len(calls) == 1
    open_target(str(path))
    open_target(str(path))
    assert [facts["tables"] for facts in calls] == [False, True]
    make_font(path, {"一": box(0, 300, 901, 400)})
    open_glyphs(str(path))
    assert len(calls) == 3


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("FONTGAN_CACHE", str(tmp_path / "file"))
    assert open_glyphs(str(make_font(tmp_path / "a.ttf", {"一": box(0, 300, 900, 400)}))).coverage(None).present == [
        "一"
    ]


def test_a_file_of_more_bytes_than_any_font_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "a.ttf").open("wb") as file:
        file.truncate(1 << 40)  # on disk it takes nothing
    with pytest.raises(DataError, match="more than 256 MB"):
        open_glyphs(str(tmp_path / "a.ttf"))


def test_damage_is_told_and_sound_fonts_are_not_called_damaged(tmp_path: Path, truetype: bytes) -> None:
    assert not open_glyphs(str(KAI)).coverage(["永"]).diagnostics
    (glyf,) = (
        struct.unpack_from(">L", truetype, 12 + 16 * k + 8)[0]
        for k in range(20)
        if truetype[12 + 16 * k :][:4] == b"glyf"
    )
    damaged = bytearray(truetype)
    damaged[glyf + 40] ^= 1
    (tmp_path / "a.ttf").write_bytes(damaged)
    (finding,) = open_glyphs(str(tmp_path / "a.ttf")).coverage(["永"]).diagnostics
    assert "checksum of glyf is wrong" in str(finding)


def test_a_broken_glyph_is_left_out_and_the_others_are_drawn(tmp_path: Path) -> None:
    font = TTFont(make_font(tmp_path / "a.ttf", {"一": box(0, 300, 900, 400), "二": box(0, 100, 900, 700)}))
    content = bytearray(fonts.tables_of((tmp_path / "a.ttf").read_bytes())["glyf"])
    start = font["loca"][font.getGlyphID("u4E8C")]
    struct.pack_into(">h", content, start, 30_000)  # contours
    (tmp_path / "b.ttf").write_bytes(fonts._with((tmp_path / "a.ttf").read_bytes(), glyf=bytes(content)))
    glyphs = open_glyphs(str(tmp_path / "b.ttf"))
    assert isinstance(glyphs, FontGlyphs)
    coverage = glyphs.coverage(list("一二"))
    assert (coverage.present, coverage.left_out) == (["一"], {"empty": ["二"]})
    assert (
        glyphs.rasterize("一", fonts.FRAME, 64).tobytes()
        == open_glyphs(str(tmp_path / "a.ttf")).rasterize("一", fonts.FRAME, 64).tobytes()
    )
    assert glyphs.advance("二") == 1000  # its width is not broken
    with pytest.raises(DataError, match="glyph of '二' U\\+4E8C is broken"):
        glyphs.rasterize("二", fonts.FRAME, 64)


def test_halves_of_surrogate_pairs_are_no_characters(tmp_path: Path, truetype: bytes) -> None:
    path = tmp_path / "a.ttf"
    path.write_bytes(fonts._with(truetype, cmap=fonts._cmap_12([(0x4E00, 0x4E00, 1), (0xD800, 0xDFFF, 1)])))
    assert FontGlyphs(path).characters() == ["一"]


def test_names_of_strangers_are_plain_wherever_they_are_told(tmp_path: Path, truetype: bytes) -> None:
    (evil,) = (one for one in fonts.names(truetype) if one.name == "names that are code")
    (tmp_path / "a.ttf").write_bytes(evil.make())
    facts = open_glyphs(str(tmp_path / "a.ttf")).describe()
    assert "script" in facts["family"]
    assert all(value.isprintable() for value in facts.values() if isinstance(value, str))


# -- fonts that glyphs are added to -------------------------------------------------------------


def test_targets_of_broken_tables_are_refused_in_one_line_or_extended(
    tmp_path: Path, here: Here, truetype: bytes
) -> None:
    ufo = ufos.sound(tmp_path)
    made = 0
    for one in fonts.broken_tables("TrueType", fonts.truetype(tmp_path), ".ttf", "", seed=1):
        if not any(how in one.name for how in ("ones after", "cut in half")):
            continue
        (tmp_path / "t.ttf").write_bytes(one.make())
        result = here("build-font", f"input={ufo}", f"target={tmp_path / 't.ttf'}", f"out={tmp_path / 'o.ttf'}", "overwrite=true", "confirm_ownership=true", "family=Other")  # fmt: skip
        made += result.returncode == 0
        if result.returncode:
            error_line(result)
    assert made


@pytest.mark.parametrize("name", ["5000 licences that overlap", "names that are code", "a name of 30000 characters"])
def test_targets_of_hostile_names_end_soon(tmp_path: Path, here: Here, truetype: bytes, name: str) -> None:
    (one,) = (one for one in fonts.names(truetype) if one.name == name)
    (tmp_path / "t.ttf").write_bytes(one.make())
    began = time.process_time()
    result = here(
        "build-font", f"input={ufos.sound(tmp_path)}", f"target={tmp_path / 't.ttf'}", f"out={tmp_path / 'o.ttf'}"
    )
    if result.returncode:
        assert error_line(result).isprintable()
    assert time.process_time() - began < 10


def test_a_variable_target_of_broken_variations_is_refused_in_one_line(tmp_path: Path, here: Here) -> None:
    codes = []
    for one in fonts.variations(fonts.variable(tmp_path)):
        (tmp_path / "t.ttf").write_bytes(one.make())
        result = here("build-font", f"input={ufos.sound(tmp_path)}", f"target={tmp_path / 't.ttf'}{one.spec}", f"out={tmp_path / 'o.ttf'}", "overwrite=true")  # fmt: skip
        codes.append(result.returncode)
        if result.returncode:
            error_line(result)
        shutil.rmtree(tmp_path / "a.ufo")
    assert set(codes) == {2}  # it has 一 already, which is all the UFO draws, so none is built


# -- UFOs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ufos.MUST_REFUSE)
def test_a_hostile_ufo_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    ufo = ufos.sound(tmp_path)
    ufos.MUST_REFUSE[name](ufo)
    began = time.monotonic()
    with pytest.raises(DataError) as refused:
        read_ufo(ufo)
    assert ufos.SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 700
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("name", ufos.MAY)
def test_a_strange_ufo_is_built_or_refused_in_one_line(tmp_path: Path, here: Here, name: str) -> None:
    ufo = ufos.sound(tmp_path)
    ufos.MAY[name](ufo)
    result = here("build-font", f"input={ufo}", f"out={tmp_path / 'o.ttf'}")
    if result.returncode:
        error_line(result)
    else:
        table = TTFont(tmp_path / "o.ttf")["name"]
        assert all(record.toUnicode().isprintable() for record in table.names)
        assert "root:" not in str([record.toUnicode() for record in table.names])


def test_a_zipped_ufo_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ufos.zipped(tmp_path, {"a.ufo/metainfo.plist": bytes(1 << 20)}, repeat=30)
    monkeypatch.setattr("fontgan.fontfile.ufo.MAX_BYTES", 20 << 20)
    with pytest.raises(DataError, match="more than 0 GB"):
        read_ufo(file)
    (tmp_path / "b.ufoz").write_bytes(b"no zip")
    with pytest.raises(DataError, match="not a UFO"):
        read_ufo(tmp_path / "b.ufoz")
    assert read_ufo(ufos.sound(tmp_path)).family == "Hand"


# -- the worst through the command line -----------------------------------------------------------


@pytest.fixture(scope="module")
def worst(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("worst")
    data = fonts.truetype(folder)
    wanted = {"4000^6 times nothing", "cmap of 4000 subtables, each all of Unicode"}
    found = {}
    for group in (fonts.composites, fonts.character_maps):
        for one in group(data):
            if one.name in wanted:
                found[one.name] = folder / f"{len(found)}{one.ending}"
                found[one.name].write_bytes(one.make())
    assert found.keys() == wanted
    return found


@pytest.mark.parametrize("verb", ["render", "check", "build-font", "complete"])
def test_the_worst_fonts_are_refused_by_every_command(
    tmp_path: Path, here: Here, worst: dict[str, Path], verb: str
) -> None:
    for font in worst.values():
        settings = {
            "render": (f"font={font}", "charset=永一", f"out={tmp_path / 'drawn'}"),
            "check": (f"data.source={font}", f"data.targets=[{KAI}]"),
            "build-font": (f"target={font}", f"input={ufos.sound(tmp_path)}", f"out={tmp_path / 'o.ttf'}"),
            "complete": (f"target={font}", f"source={SOURCE}", "charset=永一", f"out={tmp_path / 'o.ttf'}"),
        }[verb]
        assert "not a font that can be" in error_line(here(verb, *settings))
        shutil.rmtree(tmp_path / "a.ufo", ignore_errors=True)


def test_a_command_of_its_own_ends_in_time_and_leaves_no_process(tmp_path: Path, worst: dict[str, Path]) -> None:
    result = fontgan(
        "render", f"font={worst['4000^6 times nothing']}", "charset=永", f"out={tmp_path / 'drawn'}", timeout=60
    )
    assert "takes more" in error_line(result)
    assert not (tmp_path / "drawn").exists()


def test_a_font_changed_after_it_was_vetted_is_not_drawn_by_helpers(tmp_path: Path) -> None:
    path = make_font(tmp_path / "a.ttf", {"一": box(0, 300, 900, 400)})
    sent = pickle.dumps(FontGlyphs(path))
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match="was changed"):
        pickle.loads(sent)  # noqa: S301


def test_a_font_of_bytes_the_program_made_is_not_vetted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vet, "run_sandboxed", lambda *_, **__: pytest.fail("vetted"))
    path = make_font(tmp_path / "a.ttf", {"一": box(0, 300, 900, 400)})
    assert FontGlyphs(path, data=path.read_bytes()).coverage(None).present == ["一"]
    assert io.BytesIO(path.read_bytes()).read(4) == b"\0\1\0\0"
