"""Opening what a user named as glyphs: a font file, a glyph folder, a bundled font, or one of the shelf."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fontgan.data.character_map import say_legacy
from fontgan.data.glyphs import GlyphSource
from fontgan.data.shelf import shelf_path
from fontgan.errors import DataError
from fontgan.runtime.file_names import composed, portable
from fontgan.runtime.files import user_path

if TYPE_CHECKING:
    from fontgan.data.font_source import FontGlyphs

Spec = str | Sequence[str]  # a font or folder, or several that are read as one

# Names become folders and config keys.
STYLE_NAME = r"^(?!(?:all|source)\Z)\w[\w .-]*\Z"


def asset(name: str) -> Path:
    """A bundled font. Raises: DataError if there is none of that name."""
    file = Path(__file__).parents[1] / "assets" / "fonts" / name
    if not file.is_file():
        known = ", ".join(sorted(font.name for font in file.parent.glob("*.ttf")))
        raise DataError(f"asset:{name}: no bundled font of that name. There are {known}.")
    return file


def open_glyphs(spec: Spec, paired_with: Collection[str] = ()) -> GlyphSource:
    """Opens a font file or a folder of glyph images, or several of them read as one.

    ``Font.ttf``, ``Font.ttc#2``, ``Var.ttf@wght=600``, ``Var.ttf@Bold``, a folder, a bundled ``asset:NAME``, or a
    complete font ``shelf:NAME``, as ``fontgan shelf`` lists them.  ``paired_with``: characters of the source of a folder,
    which tell how its names are read.
    Raises: DataError if there is nothing there, or it is neither a font nor a folder of images.
    """
    from fontgan.data.font_source import FontGlyphs
    from fontgan.data.image_source import FolderGlyphs
    from fontgan.data.source_list import SourceList

    if not isinstance(spec, str):
        parts = [open_glyphs(part, paired_with) for part in spec]
        return parts[0] if len(parts) == 1 else SourceList(parts)
    scheme, colon, name = spec.partition(":")
    named = {"asset": asset, "shelf": shelf_path}.get(scheme) if colon else None
    path = named(name) if named else user_path(spec)
    if path.is_dir():
        return FolderGlyphs(path, paired_with)
    # The file as it stands wins, so that a name that holds # or @ still opens.
    if path.is_file():
        return _told(FontGlyphs(path))
    match = re.fullmatch(r"(?P<file>.+?)(#(?P<index>\d+))?(@(?P<instance>[^/]+))?", str(path))
    if match and Path(match["file"]).is_file():
        index = int(match["index"]) if match["index"] else None
        return _told(FontGlyphs(Path(match["file"]), index=index, instance=match["instance"]))
    raise DataError(f"{spec}: no such font file or glyph folder. Check the path; relative ones start at this folder.")


def _told(glyphs: "FontGlyphs") -> "FontGlyphs":
    """The same, after saying how its characters are found where that is unusual."""
    if glyphs.legacy_cmap:
        say_legacy(str(glyphs.path), glyphs.legacy_cmap)
    return glyphs


def say_spec(spec: Spec) -> str:
    """As messages name it."""
    return spec if isinstance(spec, str) else f"[{', '.join(spec)}]"


def own_name(spec: str) -> str:
    """What a font or folder is called: the name of its file without the ending."""
    path = user_path(spec)
    if not path.exists():  # else # and @ belong to its name
        path = user_path(re.sub(r"[#@][^/\\]*$", "", spec).removeprefix("asset:").removeprefix("shelf:"))
    if path.name in ("", ".."):
        path = path.resolve()  # . and .. have no name of their own
    return (path.name if path.is_dir() else path.stem) or spec


def style_name(spec: str) -> str:
    """A style's name where the user gave only a path: that of the file, without what no style's name has.

    ``MyFont (1).ttf`` makes the style ``MyFont 1``.
    """
    name = composed(own_name(spec))
    if re.search(STYLE_NAME, name) and portable(name) == name:
        return name
    plain = portable(re.sub(r"^[^\w]+| (?= )|[ .-]+$", "", re.sub(r"[^\w.-]", " ", name)))
    return plain if re.search(STYLE_NAME, plain) else f"{plain}_"  # all, source


def check_style_name(name: str, where: str, remedy: str) -> None:
    """Raises: DataError if a style cannot be called so."""
    if not re.search(STYLE_NAME, name):
        rule = "letters, digits, space, . _ - only, and neither all nor source"
        raise DataError(f"{where}: {name!r} cannot be a style's name; {rule}. {remedy}")
