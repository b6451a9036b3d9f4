"""What a typeface has of character sets -> one HTML page: a row for each set, with the characters that it lacks."""

from itertools import groupby

from fontgan import __version__
from fontgan.complete.coverage import TypefaceCoverage
from fontgan.complete.coverage_text import shown
from fontgan.data.region import JAPANESE, KOREAN, SIMPLIFIED, TRADITIONAL
from fontgan.report.html import asset_text, render_template

# A browser chooses the forms of Han by the language.
LANGUAGES = {SIMPLIFIED.name: "zh-Hans", TRADITIONAL.name: "zh-Hant", JAPANESE.name: "ja", KOREAN.name: "ko"}


def to_page(font: str, found: TypefaceCoverage, listed: set[str]) -> str:
    """The page; the lists of the sets in ``listed`` stand open, the others open at a click.

    Args:
        font: the font or folder, as the user names it.
    """
    groups = [(group, list(members)) for group, members in groupby(found.sets, key=lambda each: each.group)]
    return render_template(
        "coverage",
        {"shown": lambda text: "".join(map(shown, text))},
        style=asset_text("report.css") + "\n" + asset_text("coverage.css"),
        font=font,
        found=found,
        groups=groups,
        listed=listed,
        languages=LANGUAGES
        | {group: LANGUAGES.get(found.region.name, "") for group, _ in groups if group not in LANGUAGES},
        whole=sum(not each.missing for each in found.sets),
        version=__version__,
    )
