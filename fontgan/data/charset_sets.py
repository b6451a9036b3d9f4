"""The named character sets, by the scripts and regions that they are for.

Their characters come from Python's own codecs, from ranges of Unicode, and from lists in fontgan/assets/charsets, whose
licences lie beside them. docs/reference/charsets.md tells of each set; scripts/make_charsets.py writes the lists.
"""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "assets" / "charsets"


@dataclass(frozen=True)
class NamedSet:
    """Called, it gives its characters in the order of its standard, without repeats.

    Args:
        what: what it is, in a few words.
        source: where its characters come from.
    """

    what: str
    source: str
    read: Callable[[], Iterable[str]]

    def __call__(self) -> list[str]:
        return list(_characters(self))


@cache
def _characters(named: NamedSet) -> tuple[str, ...]:
    return tuple(unique(named.read()))


def unique(chars: Iterable[str]) -> list[str]:
    """In order, the first of equal ones."""
    return list(dict.fromkeys(chars))


def is_visible(char: str) -> bool:
    return unicodedata.category(char)[0] not in "CZ"


def _block(what: str, *ranges: tuple[int, int]) -> NamedSet:
    """Every assigned, visible character of code point ranges."""

    def read() -> Iterable[str]:
        return (char for first, last in ranges for char in map(chr, range(first, last + 1)) if is_visible(char))

    return NamedSet(what, "Unicode’s ranges", read)


def _codes(what: str, codec: str, *ranges: tuple[int, int], extra: str = "") -> NamedSet:
    """Two-byte characters of a codec; what is no code is decoded to several, or to one that stands for it.

    Where a standard has a character that Unicode writes with two, it is left out.
    """

    def read() -> Iterable[str]:
        for first, last in ranges:
            found = (code.to_bytes(2, "big").decode(codec, "replace") for code in range(first, last + 1))
            yield from (char for char in found if len(char) == 1 and char != "\ufffd" and is_visible(char))
        yield from extra

    return NamedSet(what, f"Python’s codec {codec}", read)


def _listed(what: str, file: str, name: str) -> NamedSet:
    """A line of a file of fontgan/assets/charsets."""
    return NamedSet(what, f"{file}.txt", lambda: _lists(file)[name])


def _sets(what: str, *names: str) -> NamedSet:
    return NamedSet(what, " and ".join(names), lambda: (char for name in names for char in NAMED[name]()))


@cache
def _lists(file: str) -> dict[str, str]:
    """The sets of a file, of a line each: its name, a tab, its characters."""
    lines = (_FOLDER / f"{file}.txt").read_text(encoding="utf-8").split("\n")
    return dict(line.split("\t") for line in lines if "\t" in line)


_VIETNAMESE = "ÀÁÂÃÈÉÊÌÍÒÓÔÕÙÚÝàáâãèéêìíòóôõùúýĂăĐđĨĩŨũƠơƯư₫"

# GBK's characters that Unicode took up after the codec was made, where GB 18030-2022 has them.
_GBK_LATER = (
    "\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb\U00020087\U00020089\U000200cc\U000215d7\U0002298f\U000241fe"
)

GROUPS: dict[str, dict[str, NamedSet]] = {
    "Latin": {
        "ascii": _block("letters, digits and signs of ASCII", (0x21, 0x7E)),
        "latin1": _block("Latin-1, for western European languages", (0x21, 0x7E), (0xA1, 0xFF)),
        "latin-ext-a": _block("Latin Extended-A, for most other European languages", (0x100, 0x17F)),
        "latin-ext-b": _block("Latin Extended-B, for African and older spellings", (0x180, 0x24F)),
        "latin-ext-additional": _block("Latin Extended Additional, for Vietnamese among others", (0x1E00, 0x1EFF)),
        "vietnamese": NamedSet(
            "what ASCII lacks of Vietnamese",
            "its alphabet",
            lambda: _VIETNAMESE + "".join(map(chr, range(0x1EA0, 0x1EFA))),
        ),
        "gf-latin-kernel": _listed(
            "GF Latin Kernel, the least in a font of another script", "google-fonts", "gf-latin-kernel"
        ),
        "gf-latin-core": _listed("GF Latin Core, the least that Google Fonts takes", "google-fonts", "gf-latin-core"),
        "gf-latin-vietnamese": _listed("GF Latin Vietnamese", "google-fonts", "gf-latin-vietnamese"),
        "gf-latin-plus": _listed("GF Latin Plus, with Core and Vietnamese in it", "google-fonts", "gf-latin-plus"),
        "gf-latin-african": _listed("GF Latin African", "google-fonts", "gf-latin-african"),
    },
    "Greek and Cyrillic": {
        "greek": _block("Unicode’s block Greek and Coptic", (0x370, 0x3FF)),
        "gf-greek-core": _listed("GF Greek Core, modern Greek", "google-fonts", "gf-greek-core"),
        "cyrillic": _block("letters of Slavic languages", (0x400, 0x45F), (0x490, 0x491)),
        "gf-cyrillic-core": _listed("GF Cyrillic Core", "google-fonts", "gf-cyrillic-core"),
        "gf-cyrillic-plus": _listed("GF Cyrillic Plus", "google-fonts", "gf-cyrillic-plus"),
    },
    "simplified Chinese": {
        "gb2312-1": _codes("GB 2312, level 1, the most frequent", "gb2312", (0xB0A1, 0xD7FE)),
        "gb2312-2": _codes("GB 2312, level 2", "gb2312", (0xD8A1, 0xF7FE)),
        "gb2312": _sets("GB 2312, both levels", "gb2312-1", "gb2312-2"),
        "gb2312-symbols": _codes("GB 2312, signs and letters", "gb2312", (0xA1A1, 0xA9FE)),
        "tgh-1": _listed("通用规范汉字表 of 2013, level 1, the most frequent", "unihan", "tgh-1"),
        "tgh-2": _listed("通用规范汉字表, level 2, for publishing", "unihan", "tgh-2"),
        "tgh-3": _listed("通用规范汉字表, level 3, names and terms", "unihan", "tgh-3"),
        "tgh": _sets("通用规范汉字表, all three levels", "tgh-1", "tgh-2", "tgh-3"),
        "gbk": _codes(
            "GBK, all its hanzi", "gb18030", (0xB0A1, 0xF7FE), (0x8140, 0xA0FE), (0xAA40, 0xFEA0), extra=_GBK_LATER
        ),
    },
    "traditional Chinese": {
        "bopomofo": _block("Zhuyin", (0x3105, 0x312F)),
        "tw-4808": _listed("常用國字標準字體表, Taiwan’s common characters", "taiwan", "tw-4808"),
        "tw-6343": _listed("次常用國字標準字體表, Taiwan’s less common ones", "taiwan", "tw-6343"),
        "big5-1": _codes(
            "Big5, level 1, the most frequent", "big5", (0xA440, 0xC67E)
        ),  # what follows are later additions
        "big5-2": _codes("Big5, level 2", "big5", (0xC940, 0xF9FE)),
        "big5": _sets("Big5, both levels", "big5-1", "big5-2"),
        "hkscs": _codes(
            "Hong Kong’s supplement HKSCS-2004", "big5hkscs", (0x8740, 0xA0FE), (0xC6A1, 0xC8FE), (0xF9D6, 0xFEFE)
        ),
        "big5-hkscs": _sets("Big5 with Hong Kong’s supplement", "big5", "hkscs"),
        "jf7000": _listed("jf 7000 of justfont, the core set", "jf7000", "jf7000"),
        "jf7000-taiwan": _listed("jf 7000, languages of Taiwan", "jf7000", "jf7000-taiwan"),
        "jf7000-naming": _listed("jf 7000, names of people", "jf7000", "jf7000-naming"),
        "jf7000-cantonese": _listed("jf 7000, Hong Kong and Macao", "jf7000", "jf7000-cantonese"),
        "jf7000-japan": _listed("jf 7000, common Japanese", "jf7000", "jf7000-japan"),
        "jf7000-symbols": _listed("jf 7000, signs", "jf7000", "jf7000-symbols"),
    },
    "Japanese": {
        "hiragana": _block("hiragana", (0x3041, 0x3096)),
        "katakana": _block("katakana", (0x30A1, 0x30FA), (0x30FC, 0x30FC)),
        "kana": _sets("both kana", "hiragana", "katakana"),
        "joyo": _listed("常用漢字表 of 2010", "unihan", "joyo"),
        "jinmeiyo": _listed("人名用漢字, for names, since 2017", "unihan", "jinmeiyo"),
        "jis-1": _codes("JIS X 0208, kanji of level 1", "euc_jp", (0xB0A1, 0xCFFE)),
        "jis-2": _codes("JIS X 0208, kanji of level 2", "euc_jp", (0xD0A1, 0xF4FE)),
        "jisx0208": _sets("JIS X 0208: kana and kanji", "kana", "jis-1", "jis-2"),
        "jis-3": _codes(
            "JIS X 0213:2004, kanji of level 3", "euc_jis_2004", (0xAEA1, 0xAFFE), (0xCFD4, 0xCFFE), (0xF4A7, 0xFEFE)
        ),
        "jis-4": _codes("JIS X 0213:2004, kanji of level 4", "shift_jis_2004", (0xF040, 0xFCFC)),
        "jisx0213": _sets("JIS X 0213:2004: kana and kanji", "kana", "jis-1", "jis-2", "jis-3", "jis-4"),
        "jisx0213-symbols": _codes("JIS X 0213:2004, signs, letters and kana", "euc_jis_2004", (0xA1A1, 0xADFE)),
    },
    "Korean": {
        "jamo": _block("letters of hangul", (0x3131, 0x318E)),
        "ksx1001-hangul": _codes("KS X 1001, hangul", "euc_kr", (0xB0A1, 0xC8FE)),
        "hangul-common": _listed("hangul of common use, as Adobe-KR-9 has them", "adobe-kr", "hangul-common"),
        "hangul": _block("all hangul of today", (0xAC00, 0xD7A3)),
        "hanja-1800": _listed("한문 교육용 기초 한자, taught at schools", "unihan", "hanja-1800"),
        "ksx1001-hanja": _codes("KS X 1001, hanja", "euc_kr", (0xCAA1, 0xFDFE)),
        "ksx1001": _sets("KS X 1001: letters, hangul and hanja", "jamo", "ksx1001-hangul", "ksx1001-hanja"),
    },
    "Han of every region": {
        "cjk-punctuation": _block("CJK and fullwidth punctuation", (0x3001, 0x303F), (0xFF01, 0xFF5E)),
        "iicore": _listed("IICore, the least for all of East Asia", "unihan", "iicore"),
        "unihan-core": _listed("Unihan Core 2020, what each region needs", "unihan", "unihan-core"),
        "cjk": _block("CJK Unified Ideographs, Unicode’s first block", (0x4E00, 0x9FFF)),
    },
}
NAMED = {name: named for sets in GROUPS.values() for name, named in sets.items()}
