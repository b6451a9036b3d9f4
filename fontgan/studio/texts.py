"""What people read, in their language: gettext catalogues in locale/, of which the browser's wishes choose one.

The English texts are the keys. ``scripts/studio_texts.py`` gathers them from the code and templates into the catalogues.
"""

import gettext
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

FOLDER = Path(__file__).parent / "locale"
ENGLISH = "en"
# As browsers ask for them -> a catalogue. Script matters, not country: zh-TW and zh-HK write traditional characters.
ASKED = {
    "en": ENGLISH, "zh": "zh_Hans", "zh-cn": "zh_Hans", "zh-sg": "zh_Hans", "zh-hans": "zh_Hans",
    "zh-tw": "zh_Hant", "zh-hk": "zh_Hant", "zh-mo": "zh_Hant", "zh-hant": "zh_Hant", "ja": "ja",
}  # fmt: skip
NAMES = {ENGLISH: "English", "zh_Hans": "简体中文", "zh_Hant": "繁體中文", "ja": "日本語"}


class Texts(gettext.NullTranslations):
    """A catalogue as it lies in the package."""

    def __init__(self, language: str):
        super().__init__()
        self.language = language
        self.found: dict[str, str] = {}
        if language != ENGLISH:
            with (FOLDER / f"{language}.po").open("rb") as file:
                for message in read_po(file):
                    if isinstance(message.id, str) and message.id and message.string and not message.fuzzy:
                        self.found[message.id] = str(message.string)

    @property
    def tag(self) -> str:
        """As HTML's ``lang`` has it."""
        return self.language.replace("_", "-")

    def gettext(self, message: str) -> str:
        return self.found.get(message, message)


@cache
def texts(language: str) -> Texts:
    return Texts(language if language in NAMES else ENGLISH)


def choose_language(accepted: str, cookie: str = "") -> str:
    """The language to speak.

    Args:
        accepted: the header ``Accept-Language``.
        cookie: what was chosen on the page, which wins.
    """
    if cookie in NAMES:
        return cookie
    asked = []
    for part in accepted.split(",")[:20]:
        tag, _, quality = part.partition(";q=")
        try:
            asked.append((-float(quality or 1), tag.strip().lower()))
        except ValueError:
            continue
    wanted = [tag for _, tag in sorted(asked, key=lambda one: one[0])]
    return next((found for tag in wanted if (found := catalogue_of(tag))), ENGLISH)


def catalogue_of(tag: str) -> str:
    """The catalogue for a language tag in small letters, by its longest known start (RFC 4647, lookup); "" if none."""
    while tag and tag not in ASKED:
        tag = tag.rpartition("-")[0]
    return ASKED.get(tag, "")
