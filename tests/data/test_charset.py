"""Character sets: the named ones against published counts, files, literals, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fontgan
from fontgan.data.charset import resolve
from fontgan.data.charset_sets import NAMED
from fontgan.errors import DataError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "charsets.md"
LISTS = Path(fontgan.__file__).parent / "assets" / "charsets"

# Counts that the standards and publishers themselves state, with what is no character here taken off.
PUBLISHED = {
    "ascii": 94,
    "gf-latin-kernel": 116 - 2,  # space and no-break space, here and in the next
    "gf-latin-core": 319 - 2,
    "gf-latin-vietnamese": 231,
    "gb2312-1": 3755,
    "gb2312-2": 3008,
    "gb2312": 6763,
    "gb2312-symbols": 682 - 1,  # the ideographic space
    "tgh-1": 3500,
    "tgh-2": 3000,
    "tgh-3": 1605,
    "tgh": 8105,
    "gbk": 21003,
    "tw-4808": 4808,
    "tw-6343": 6343,
    "big5-1": 5401,
    "big5-2": 7652,
    "big5": 13053,
    "hkscs": 4941 - 4,  # of two code points each
    "jf7000": 6770 - 3 - 4,  # spaces; forms for vertical text
    "jf7000-naming": 618,
    "jf7000-cantonese": 127,
    "joyo": 2136,
    "jinmeiyo": 863,
    "jis-1": 2965,
    "jis-2": 3390,
    "jis-3": 1259,
    "jis-4": 2436,
    "jisx0213-symbols": 1183 - 25 - 3,  # of two code points each; two spaces and the soft hyphen
    "ksx1001-hangul": 2350,
    "ksx1001-hanja": 4888,
    "hangul-common": 2780,
    "hangul": 11172,
    "hanja-1800": 1800,
    "iicore": 9810,
    "unihan-core": 20720,
    "cjk": 20992,
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


def test_sets_that_hold_others_are_no_larger_and_no_smaller_than_these() -> None:
    chars = {name: set(named()) for name, named in NAMED.items()}
    kanji = chars["jis-1"] | chars["jis-2"] | chars["jis-3"] | chars["jis-4"]
    assert len(kanji) == 10050
    assert chars["jisx0213"] == kanji | chars["kana"]
    assert not chars["jisx0213-symbols"] & kanji
    assert chars["gbk"] > chars["gb2312"]
    assert chars["gbk"] >= set(map(chr, range(0x4E00, 0x9FA6)))  # the Han of Unicode 1.1
    assert not chars["big5"] & chars["hkscs"]
    assert len(chars["big5-hkscs"]) == 13053 + 4937
    assert not chars["tw-4808"] & chars["tw-6343"]
    assert chars["tw-4808"] - chars["big5-1"] == {"彞"}  # Python's Big5 has 彝 at that code
    assert len(chars["gf-latin-plus"] - chars["gf-latin-core"] - chars["gf-latin-vietnamese"]) == 110
    assert chars["gf-latin-kernel"] < chars["gf-latin-core"] < chars["gf-latin-plus"]
    assert chars["ksx1001-hangul"] < chars["hangul-common"] < chars["hangul"]
    assert not chars["joyo"] & chars["jinmeiyo"]
    assert chars["joyo"] | chars["jinmeiyo"] < kanji | set("\U00020b9f")  # 𠮟, and what else JIS X 0213 has not
    assert chars["tgh-1"] < chars["unihan-core"]


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("joyo", "剝塡頰𠮟亜", "剥填頬叱亞"),  # the forms of the table, not those that most people type instead
        ("jinmeiyo", "渾巫亞", "亜"),  # the last two that were added, 2015 and 2017; and an old form
        ("tw-4808", "一龜麵汨", "万麪汩"),
        ("tw-6343", "万㮣汩", "一汨"),
        ("gbk", "\u9fb4\U000241fe㑇", "\ue815"),
        ("hkscs", "嘅啲𨋢ā", "的"),
        ("jis-3", "俱剝", "仝"),  # 仝 is a sign in the standard
        ("jis-4", "𠂉𪚲", "俱"),
        ("tgh-3", "鿍", "的"),
        ("gf-latin-vietnamese", "ơƯẫ", "ß"),
        ("gf-latin-plus", "₿≈ơß", "Ω\u00a0"),
        ("hangul-common", "힣뷁똠", "뷃"),
        ("jf7000", "獴蟎", " "),
    ],
)
def test_what_tells_a_set_from_a_similar_one(name: str, inside: str, outside: str) -> None:
    chars = set(NAMED[name]())
    assert chars >= set(inside)
    assert not chars & set(outside)


def test_the_page_names_every_set_with_its_true_count_and_source() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \| ([\d,]+) \| ([^|]+) \| ([^|]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    told = {name: (int(count.replace(",", "")), what, source) for name, count, what, source in rows}
    assert told == {name: (len(named()), named.what, named.source) for name, named in NAMED.items()}
    assert all(len(named.what) <= 60 for named in NAMED.values())  # a column of a terminal


def test_every_list_says_where_it_is_from_and_lies_beside_its_licence() -> None:
    lists = [file for file in LISTS.glob("*.txt") if not file.name.endswith(".LICENSE.txt")]
    assert len(lists) > 3
    used = {named.source for named in NAMED.values()}
    for file in lists:
        assert file.name in used
        licence = file.with_name(f"{file.stem}.LICENSE.txt")
        assert file.name in licence.read_text(encoding="utf-8")
        assert licence.name in file.read_text(encoding="utf-8").split("\n")[0]
        assert f"| `{file.name}` |" in PAGE.read_text(encoding="utf-8")


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


@pytest.mark.parametrize(
    ("wrong", "right"), [("joio", "joyo"), ("gf-latin-cor", "gf-latin-core"), ("ascii+kanna", "kana")]
)
def test_a_typo_is_told_the_nearest_name(wrong: str, right: str) -> None:
    with pytest.raises(DataError, match=rf"Did you mean {right}\?"):
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
