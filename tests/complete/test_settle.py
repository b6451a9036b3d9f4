"""What fontgan complete takes where it is not told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from fontgan.complete.settle import settle, warn_of_unlike_source
from fontgan.config.compose import compose_config
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError
from tests.helpers import BRUSH, SOURCE, box, make_font, part_of

HAS = "的一是不了在人有我他这个们中来上大为和国"


def test_source_set_and_file_follow_from_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target = part_of(BRUSH, HAS, tmp_path / "My Brush.ttf")
    config = compose_config("complete", [f"target={target}"])
    settle(config)
    assert (config.source, config.charset, config.out) == ("shelf:sans", "gb2312-1", "My Brush-complete.ttf")


def test_from_nothing_the_nearest_of_the_shelf_is_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = compose_config("complete", [f"target={part_of(BRUSH, HAS, tmp_path / 'Brush.ttf')}", "init_from=null"])
    settle(config)
    assert config.source == "shelf:kai"


def test_what_is_typed_stays(tmp_path: Path) -> None:
    typed = [f"target={BRUSH}", f"source={SOURCE}", "charset=kana", f"out={tmp_path / 'o.ttf'}"]
    config = compose_config("complete", typed)
    settle(config)
    assert (config.source, config.charset, config.out) == (str(SOURCE), "kana", str(tmp_path / "o.ttf"))


def test_a_region_whose_source_is_not_fetched_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONTGAN_CACHE", str(tmp_path / "cache"))
    korean = make_font(tmp_path / "Korean.ttf", {char: box(0, 0, 500, 700) for char in "가나다라"})
    config = compose_config("complete", [f"target={korean}"])
    settle(config)
    assert (config.source, config.charset) == ("shelf:sans-kr", "ksx1001-hangul")
    with pytest.raises(DataError, match=r"fontgan shelf 'fetch=\[sans-kr\]'"):
        open_glyphs(config.source)


@pytest.mark.parametrize(("source", "warns"), [("shelf:song", False), ("shelf:round", False), (str(BRUSH), True)])
def test_a_source_unlike_those_that_the_base_reads_is_warned_of(
    source: str, warns: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("fontgan"), "propagate", True)
    target = part_of(BRUSH, HAS, tmp_path / "Brush.ttf")
    warn_of_unlike_source(open_glyphs(source), str(target))
    assert ("the kind of source that the base model has learned to read" in caplog.text) is warns
