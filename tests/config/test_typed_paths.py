"""Paths as users type them, quoted for the shell alone, on either system."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fontgan.config.compose import compose_config
from fontgan.config.overrides import escape_overrides, quoted, unescape
from fontgan.config.saved import load_config
from fontgan.config.stored_paths import store_with_slashes
from fontgan.config.sweep_grid import grid_jobs, parse_override, shared_keys
from fontgan.data.sources import open_glyphs
from fontgan.errors import ConfigError, DataError
from tests.helpers import KAI

PATHS = [
    r"C:\Users\me\My Fonts\字体 (1).ttf", "D:/x.ttf", r"\\server\share\x", r"C:\dir" + "\\", r"C:\[x]\{y}\z.ttf", r"..\fonts\A.ttf",
    "~/字体/A.ttf", "NotoSansSC[wght].ttf", "[A] B [C].ttf", "{x}.ttf", "a,b=c'd#e$f%g{}.ttf", "'s.ttf", "it's.ttf", 'a"b.ttf',
    "a;b&c.ttf", "字体（一）.ttf", " x.ttf", "x.ttf ", "a\tb.ttf", "*.ttf", "-x.ttf", "(1)", r"%APPDATA%\x", "a:b", "__u41__", "😀.ttf",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_typed_path_reaches_the_verb_unchanged(path: str) -> None:
    cfg = compose_config("render", [f"font={path}", f"out={path}"])
    assert (cfg.font, cfg.out) == (path, path)


def test_typed_paths_in_lists_and_maps_reach_the_verb_unchanged() -> None:
    parted = ("a,b=c'd#e$f%g{}.ttf", "'s.ttf")  # for quotes
    paths = [path for path in PATHS if path == path.strip() and path not in parted]
    named = {f"style {number}": {"font": path, "source": [path, "B.ttf"]} for number, path in enumerate(paths)}
    of_each = (f"{name}: {{font: {one['font']}, source: [{one['font']}, B.ttf]}}" for name, one in named.items())
    typed = [
        f"data.targets={{kai: {paths[0]}, {', '.join(of_each)}}}",
        f"data.guides=[{','.join(paths[:8])},[{paths[0]},C.ttf]]",
    ]
    data: Any = OmegaConf.to_container(
        compose_config("train", ["experiment=scratch", "data.source=A.ttf", *typed]).data
    )
    assert data["targets"] == {"kai": paths[0], **named}
    assert data["guides"] == [*paths[:8], [paths[0], "C.ttf"]]


def test_quotes_take_what_a_list_would_part() -> None:
    data = compose_config(
        "train",
        ["experiment=scratch", "data.source=A.ttf", f"data.targets=['a,b.ttf', \"c'd.ttf\", {quoted(chr(92))}]"],
    ).data
    assert list(data.targets) == ["a,b.ttf", "c'd.ttf", "\\"]


@settings(deadline=None)
@given(st.text(st.characters(codec=None, exclude_characters="$"), min_size=1, max_size=30))
def test_escapes_change_nothing(text: str) -> None:
    after_quotes = f"out={text[:-1]}\\{text[-1:]}"  # of a backslash at their end
    assert unescape(escape_overrides([f"out={text}"])[0]) in (f"out={text}", after_quotes)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(codec=None, exclude_characters="$"), min_size=1, max_size=30))
def test_in_quotes_any_text_arrives(text: str) -> None:
    assert compose_config("render", ["font=A.ttf", f"out={quoted(text)}"]).out == text


@pytest.mark.parametrize("value", ["a${b.ttf", r"a\${b}.ttf", "'a${b'", "[A.ttf,B.ttf", "{kai: A.ttf", "'a', 'b'.ttf'"])
def test_what_cannot_be_a_path_is_refused_in_one_line_with_the_remedy(value: str, refused: Callable[..., str]) -> None:
    said = refused("train", f"data.source={value}")
    assert "Rename it" in said or "quotes" in said or "no such font file" in said


def test_a_drive_letter_on_linux_is_a_file_that_is_not_there() -> None:
    with pytest.raises(DataError, match=r"^C:\\Users\\me\\A\.ttf: no such font file or glyph folder"):
        open_glyphs(r"C:\Users\me\A.ttf")


@pytest.mark.parametrize("name", ["C:\\me\\字体 (1).ttf", "A[wght], 'b'=#1 {x}.ttf"])
def test_a_real_file_of_such_a_name_is_opened_from_a_shell(tmp_path: Path, name: str) -> None:
    shutil.copyfile(KAI, tmp_path / name)
    line = f"{shlex.quote(sys.executable)} -m fontgan coverage {shlex.quote(f'font={name}')} out=found.json"
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "found.json").is_file()


def test_a_sweep_is_parted_by_commas_and_by_nothing_else() -> None:
    typed = [r"data.source=C:\a b\x[1].ttf,'c,d.ttf',\\srv\字.ttf"]
    parsed = parse_override(escape_overrides(typed, sweep=True))
    jobs = grid_jobs(parsed, shared_keys(parsed))
    assert [own["data.source"].strip("'") for own in jobs.values()] == [r"C:\a b\x[1].ttf", "c,d.ttf", r"\\srv\字.ttf"]


def test_the_first_word_may_be_a_path_in_the_home_folder(refused: Callable[..., str]) -> None:
    for word in ("~/nowhere/x", "~\\nowhere\\x"):
        assert f"what={word}" in refused("bench", word)


def test_a_run_of_windows_is_stored_so_that_linux_reads_it(tmp_path: Path) -> None:
    targets = r"data.targets={kai: fonts\A.ttf, two: {font: B.ttf, source: [x\C.ttf]}}"
    cfg = compose_config("train", ["experiment=scratch", "data.source=A.ttf", targets, r"data.guides=[g\D.ttf]"])
    cfg.data.source, cfg.init_from = r"\\server\字\S.ttf", None
    store_with_slashes(cfg, "/")
    assert cfg.data.source == r"\\server\字\S.ttf"  # on Linux a backslash belongs to a name
    store_with_slashes(cfg, "\\")
    data: Any = OmegaConf.to_container(cfg.data)
    assert data["source"] == "//server/字/S.ttf"
    assert data["targets"] == {"kai": "fonts/A.ttf", "two": {"font": "B.ttf", "source": ["x/C.ttf"]}}
    assert data["guides"] == ["g/D.ttf"]
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True), encoding="utf-8")
    assert load_config(tmp_path / "config.yaml").data == cfg.data


def test_lists_of_fonts_in_a_file_take_paths_of_either_system(tmp_path: Path) -> None:
    listed = tmp_path / "targets.yaml"
    listed.write_text("kai: C:\\fonts\\字 (1).ttf\nbrush: 'sub/B[wght].ttf'\n", encoding="utf-8")
    targets = compose_config(
        "train", ["experiment=scratch", "data.source=A.ttf", f"data.targets={listed}"]
    ).data.targets
    assert targets.kai.endswith("C:\\fonts\\字 (1).ttf")
    assert targets.brush == (tmp_path / "sub/B[wght].ttf").as_posix()
    listed.write_text('kai: "C:\\fonts\\x.ttf"\n', encoding="utf-8")  # where YAML reads escapes
    with pytest.raises(ConfigError, match=r"targets\.yaml"):
        compose_config("train", ["experiment=scratch", "data.source=A.ttf", f"data.targets={listed}"])
