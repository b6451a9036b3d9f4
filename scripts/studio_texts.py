"""Brings the catalogues of the studio, fontgan/studio/locale/, up to date with the texts of its code and templates.

New texts come in without a translation, texts that are gone go, and what was translated stays. A text that was changed
a little keeps its old translation, marked fuzzy: mend it and take the mark away. Two runs leave the same bytes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fontgan.cli import not_installed  # noqa: E402

try:
    from babel.core import Locale
    from babel.messages.catalog import Catalog, Message
    from babel.messages.extract import extract_from_dir
    from babel.messages.pofile import read_po, write_po
except ModuleNotFoundError as error:
    sys.exit(f"scripts/studio_texts.py: {not_installed(error)}")

STUDIO = ROOT / "fontgan" / "studio"
LOCALE = STUDIO / "locale"
LANGUAGES = ("ja", "zh_Hans", "zh_Hant")
METHODS = [("**.py", "python"), ("**.j2", "jinja2.ext.babel_extract")]
OPTIONS = {"**.j2": {"silent": "false"}}  # a template that cannot be read must not lose its texts
KEYWORDS = {"_": None, "noted": None, "say": None}
# %(number)s of gettext, {char} of the drawing canvas.
_PLACEHOLDER = re.compile(r"%\(\w+\)\w|\{\w+\}")
_HEADER = """# The studio in {name}. scripts/studio_texts.py keeps its texts up to date.
msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def gather() -> Catalog:
    """Every English text, with the files that it stands in."""
    found = Catalog()
    for file, _, text, _, _ in extract_from_dir(STUDIO, METHODS, OPTIONS, KEYWORDS):
        found.add(text, locations=[(file, 0)])
    return found


def read(language: str) -> Catalog:
    """A catalogue as it lies there; empty where there is none yet."""
    file = LOCALE / f"{language}.po"
    if not file.is_file():
        return Catalog(locale=language)
    with file.open("rb") as stream:
        return read_po(stream, locale=language)


def merged(language: str, texts: Catalog) -> bytes:
    """The catalogue of a language, brought up to date."""
    catalogue = read(language)
    catalogue.update(texts)
    for message in catalogue:
        message.locations = sorted(set(message.locations))
        message.previous_id = []
    out = BytesIO()
    write_po(out, catalogue, width=0, omit_header=True, sort_output=True, ignore_obsolete=True, include_lineno=False)
    head = _HEADER.format(name=Locale.parse(language).english_name, language=language)
    return head.encode() + out.getvalue()


def faults(message: Message) -> Iterator[str]:
    """What is wrong with a translation."""
    if not message.string:
        yield "is not translated"
    elif sorted(_PLACEHOLDER.findall(str(message.id))) != sorted(_PLACEHOLDER.findall(str(message.string))):
        yield "has other placeholders"
    if message.fuzzy:
        yield "is fuzzy"


def main() -> int:
    """Writes the catalogues. Returns: 1 if something is left to translate."""
    texts, left = gather(), 0
    LOCALE.mkdir(exist_ok=True)
    for language in LANGUAGES:
        (LOCALE / f"{language}.po").write_bytes(merged(language, texts))
        for message in read(language):
            for fault in faults(message) if message.id else ():
                print(f"{language}: {message.id!r} {fault}")
                left += 1
    return int(left > 0)


if __name__ == "__main__":
    sys.exit(main())
