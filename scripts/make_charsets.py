"""Writes the character sets of fontgan/assets/charsets from the lists that others publish.

    python scripts/make_charsets.py --unihan DIR --taiwan DIR --jf7000 DIR --adobe-kr FILE --glyphsets DIR

Each option may be left out: its file stays as it is. What the present files were written from, and under which licences:

--unihan    Unihan_OtherMappings.txt, Unihan_DictionaryLikeData.txt and Unihan_IRGSources.txt of Unicode 15.0.0, plain or as
            .bz2, in which Debian's package unicode-data 15.0.0-1 has them. Unicode-3.0.
--taiwan    国字标准字体表-常用(甲表).txt and -次常用(乙表).txt, lines of a code point and a character, of
            github.com/kitty-panics/cn-tables (3a140fb). They hold the same characters as github.com/ButTaiwan/cjktables
            (98104fa), and the first one the same as the Ministry's own table of 4,808 in cn-tables. Official documents, which
            have no copyright: Taiwan's Copyright Act, article 9.
--jf7000    a clone of github.com/justfont/jf7000 at v0.9 (af8f31a). It lists names of glyphs, of which glyphsLib tells the
            characters. CC-BY-SA-4.0.
--adobe-kr  UniAKR-UTF32-H, version 1.003, of Adobe's CMap resources; Debian's package poppler-data 0.4.12-1 has it.
            BSD-3-Clause.
--glyphsets the folder glyphsets/results/nam of the Python package glyphsets 1.1.3. Apache-2.0.
"""

from __future__ import annotations

import argparse
import bz2
import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fontgan.cli import not_installed  # noqa: E402

try:
    from fontgan.data.charset import resolve
    from fontgan.data.charset_sets import unique
    from fontgan.runtime.files import atomic_write
except ModuleNotFoundError as error:
    sys.exit(f"scripts/make_charsets.py: {not_installed(error)}")

OUT = ROOT / "fontgan" / "assets" / "charsets"
LAST_CID_OF_ADOBE_KR_0 = 3034
NAM_FILES = {
    "gf-latin-kernel": ["GF_Latin_Kernel"], "gf-latin-core": ["GF_Latin_Core"], "gf-latin-vietnamese": ["GF_Latin_Vietnamese"],
    # The file of Plus names what is new in it; by its definition it includes the others.
    "gf-latin-plus": ["GF_Latin_Core", "GF_Latin_Vietnamese", "GF_Latin_Plus"], "gf-latin-african": ["GF_Latin_African"],
    "gf-cyrillic-core": ["GF_Cyrillic_Core"], "gf-cyrillic-plus": ["GF_Cyrillic_Plus"], "gf-greek-core": ["GF_Greek_Core"],
}  # fmt: skip
PACKS = {
    "jf7000": "base", "jf7000-cantonese": "ext_cantonese", "jf7000-japan": "ext_japan", "jf7000-naming": "ext_naming",
    "jf7000-symbols": "ext_symbols", "jf7000-taiwan": "ext_taiwan",
}  # fmt: skip


def unihan(folder: Path) -> dict[str, Iterable[str]]:
    fields: dict[str, dict[str, str]] = {}
    for name in ("OtherMappings", "DictionaryLikeData", "IRGSources"):
        plain = folder / f"Unihan_{name}.txt"
        packed = plain.with_name(f"{plain.name}.bz2")
        text = (plain.read_bytes() if plain.is_file() else bz2.decompress(packed.read_bytes())).decode()
        for code, field, value in re.findall(r"^U\+([0-9A-F]+)\t(\w+)\t(.+)$", text, re.MULTILINE):
            fields.setdefault(field, {})[chr(int(code, 16))] = value
    tgh = sorted(fields["kTGH"], key=lambda char: int(fields["kTGH"][char].partition(":")[2]))
    # Four more characters have a value that names the one of the table: they are what most people type instead of it.
    joyo = [char for char, value in fields["kJoyoKanji"].items() if not value.startswith("U+")]
    return {
        "tgh-1": tgh[:3500],
        "tgh-2": tgh[3500:6500],
        "tgh-3": tgh[6500:],
        "joyo": joyo,
        "jinmeiyo": fields["kJinmeiyoKanji"],
        "hanja-1800": fields["kKoreanEducationHanja"],
        "iicore": fields["kIICore"],
        "unihan-core": fields["kUnihanCore2020"],
    }


def taiwan(folder: Path) -> dict[str, Iterable[str]]:
    files = {"tw-4808": "国字标准字体表-常用(甲表).txt", "tw-6343": "国字标准字体表-次常用(乙表).txt"}
    # By the characters: the code of 汨 is that of 汩 there, as in the Ministry's file.
    return {
        name: [line.split("\t")[1] for line in (folder / file).read_text(encoding="utf-8").splitlines()]
        for name, file in files.items()
    }


def jf7000(clone: Path) -> dict[str, Iterable[str]]:
    try:
        from glyphsLib.glyphdata import get_glyph
    except ModuleNotFoundError:
        sys.exit("scripts/make_charsets.py: --jf7000 needs glyphsLib: pip install glyphsLib")

    def characters(file: Path) -> Iterable[str]:
        for name in file.read_text(encoding="utf-8").split():
            code = re.fullmatch(r"uni([0-9A-F]{4})|u([0-9A-F]{5})", name)
            point = (code[1] or code[2]) if code else get_glyph(name).unicode
            if point:  # forms for vertical text and letters of several code points have none
                yield chr(int(point, 16))

    return {name: characters(clone / "charset" / "0.9" / f"list_{pack}.txt") for name, pack in PACKS.items()}


def adobe_kr(file: Path) -> dict[str, Iterable[str]]:
    """The hangul of supplement 0 of Adobe-KR-9."""
    lines = re.findall(r"^<([0-9a-f]{8})>(?: <([0-9a-f]{8})>)? (\d+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    ranges = [(int(first, 16), int(last or first, 16), int(cid)) for first, last, cid in lines]
    cids = {code: cid + code - first for first, last, cid in ranges for code in range(first, last + 1)}
    return {"hangul-common": [chr(code) for code in range(0xAC00, 0xD7A4) if cids[code] <= LAST_CID_OF_ADOBE_KR_0]}


def glyphsets(folder: Path) -> dict[str, Iterable[str]]:
    return {
        name: [char for file in files for char in _code_points(r"^0x([0-9A-F]+)", folder / f"{file}.nam")]
        for name, files in NAM_FILES.items()
    }


def _code_points(pattern: str, file: Path) -> list[str]:
    found = re.findall(pattern, file.read_text(encoding="utf-8"), re.MULTILINE)
    return [chr(int(code, 16)) for code in found]


SOURCES = {
    "unihan": (unihan, "Unihan 15.0.0"),
    "taiwan": (taiwan, "standard forms of national characters, Ministry of Education of Taiwan"),
    "jf7000": (jf7000, "jf 7000 of justfont, version 0.9"),
    "adobe-kr": (adobe_kr, "Adobe-KR-9, supplement 0"),
    "google-fonts": (glyphsets, "glyphsets 1.1.3 of Google Fonts"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("unihan", "taiwan", "jf7000", "adobe-kr", "glyphsets"):
        parser.add_argument(f"--{option}", type=Path)
    given = parser.parse_args()
    paths = vars(given)
    for file, (read, what) in SOURCES.items():
        path = paths[read.__name__]
        if path is None:
            continue
        sets = {name: "".join(unique(filter(str.strip, chars))) for name, chars in read(path).items()}
        about = f"# {what}; its licence: {file}.LICENSE.txt; written by scripts/make_charsets.py"
        lines = [about, *map("\t".join, sets.items())]
        atomic_write(OUT / f"{file}.txt", "\n".join(lines) + "\n")
        print(f"{file}.txt: {', '.join(f'{name} {len(resolve(name) or [])}' for name in sets)}")  # as they are read


if __name__ == "__main__":
    main()
