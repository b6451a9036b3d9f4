"""Character sets: the named ones against published counts, files, literals, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fontgan.data.charset import NAMED, resolve
from fontgan.errors import DataError

# Counts that the standards themselves state.
PUBLISHED = {
    "ascii": 94,
    "gb2312-1": 3755,
    "gb2312-2": 3008,
    "gb2312": 6763,
    "tgh-1": 3500,
    "tgh-2": 3000,
    "tgh-3": 1605,
    "tgh": 8105,
    "big5-1": 5401,
    "big5-2": 7652,
    "jis-1": 2965,
    "jis-2": 3390,
    "ksx1001-hangul": 2350,
    "ksx1001-hanja": 4888,
    "hangul": 11172,
}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_named_sets_are_visible_and_without_repeats(name: str) -> None:
    chars = resolve(name)
    assert chars
    assert len(chars) == len(set(chars))
    assert all(len(char) == 1 and not char.isspace() for char in chars)


@pytest.mark.parametrize(("name", "count"), sorted(PUBLISHED.items()))
def test_counts_are_those_of_the_standards(name: str, count: int) -> None:
    # KS X 1001 lists 268 hanja twice under compatibility code points, which stay characters of their own.
    assert len(resolve(name) or []) == count


def test_first_and_last_of_gb2312() -> None:
    chars = resolve("gb2312-1")
    assert chars is not None
    assert (chars[0], chars[-1]) == ("啊", "座")


def test_sets_join_with_plus() -> None:
    assert resolve("ascii+hiragana") == (resolve("ascii") or []) + (resolve("hiragana") or [])


def test_text_file_keeps_order_and_drops_repeats_and_blanks(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("\ufeff永字 八\n法永\t", encoding="utf-8")
    assert resolve(str(file)) == list("永字八法")


def test_literal_and_font() -> None:
    assert resolve("永字永") == ["永", "字"]
    assert resolve("font") is None


@pytest.mark.parametrize("wrong", ["gb2312-9", "hiragna", "ascii+永", "missing.txt", "  ", "\n"])
def test_a_typo_is_refused_and_the_choices_are_listed(wrong: str) -> None:
    with pytest.raises(DataError, match="gb2312-1, gb2312-2"):
        resolve(wrong)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "gbk.txt"
    file.write_bytes("永字".encode("gbk"))
    with pytest.raises(DataError, match="UTF-8"):
        resolve(str(file))


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1))
def test_any_han_literal_is_its_own_characters(text: str) -> None:
    assert resolve(text) == list(dict.fromkeys(text))


def test_names_may_be_written_in_capitals() -> None:
    assert resolve("GB2312-1") == resolve("gb2312-1")


def test_marks_are_composed_and_compatibility_ideographs_kept() -> None:
    assert resolve("か\u3099") == ["が"]
    assert resolve("\uf900\u8c48") == ["\uf900", "\u8c48"]
