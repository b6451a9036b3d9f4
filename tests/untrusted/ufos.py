"""UFOs that are broken, or made to do harm."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from fontgan.fontfile.outline import DrawnGlyph, Outline
from fontgan.fontfile.ufo import write_ufo

SQUARE = Outline((("moveTo", ((0, 0),)), ("lineTo", ((0, 700),)), ("lineTo", ((700, 700),)), ("lineTo", ((700, 0),)), ("closePath", ())))  # fmt: skip
SECRET = "what nobody may read"

LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{k} '{f'&a{k - 1};' * 20}'>" for k in range(1, 9)) + "]>"
)
GLIF = '<?xml version="1.0" encoding="UTF-8"?>{}<glyph name="one" format="2"><advance width="{}"/><unicode hex="{}"/>{}<outline>{}</outline></glyph>'
POINTS = '<contour><point x="0" y="0" type="line"/><point x="{0}" y="0" type="line"/><point x="0" y="{0}" type="line"/></contour>'


def _glif(
    head: str = "", width: str = "500", code: str = "4E00", before: str = "", outline: str = POINTS.format(500)
) -> Callable[[Path], object]:
    return lambda ufo: (ufo / "glyphs" / "uni4E_00.glif").write_text(GLIF.format(head, width, code, before, outline))


def _plist(file: str, content: str) -> Callable[[Path], object]:
    return lambda ufo: (ufo / file).write_text(f'<?xml version="1.0"?>{content}')


def _contents(file: str) -> Callable[[Path], object]:
    def change(ufo: Path) -> None:
        (ufo.parent / "secret.glif").write_text(GLIF.format("", 500, "4E8C", f"<note>{SECRET}</note>", ""))
        listed = ufo / "glyphs" / "contents.plist"
        name = next(path.name for path in (ufo / "glyphs").glob("*.glif"))
        listed.write_text(listed.read_text().replace(name, file.format(outside=ufo.parent)))

    return change


def _link(ufo: Path) -> None:
    (ufo.parent / "secret.glif").write_text(SECRET)
    glyph = next((ufo / "glyphs").glob("*.glif"))
    glyph.unlink()
    glyph.symlink_to(ufo.parent / "secret.glif")


def _pipe(ufo: Path) -> None:
    glyph = next((ufo / "glyphs").glob("*.glif"))
    glyph.unlink()
    os.mkfifo(glyph)


def _components(count: int, each: int) -> Callable[[Path], object]:
    def change(ufo: Path) -> None:
        names = {}
        for k in range(count):
            parts = f'<component base="g{k - 1}"/>' * each if k else ""
            (ufo / "glyphs" / f"g{k}.glif").write_text(
                f'<?xml version="1.0"?><glyph name="g{k}" format="2"><outline>{parts}</outline></glyph>'
            )
            names[f"g{k}"] = f"g{k}.glif"
        listed = ufo / "glyphs" / "contents.plist"
        entries = "".join(f"<key>{name}</key><string>{file}</string>" for name, file in names.items())
        listed.write_text(listed.read_text().replace("</dict>", f"{entries}</dict>"))

    return change


def _cycle(ufo: Path) -> None:
    file = next((ufo / "glyphs").glob("*.glif"))
    name = file.read_text().partition('name="')[2].partition('"')[0]
    file.write_text(
        f'<?xml version="1.0"?><glyph name="{name}" format="2"><outline><component base="{name}"/></outline></glyph>'
    )


def _info(key: str, value: str) -> Callable[[Path], object]:
    return _plist("fontinfo.plist", f"<plist version='1.0'><dict><key>{key}</key>{value}</dict></plist>")


def _current(change: Callable[[Path], object]) -> Callable[[Path], object]:
    """A change to the only glyph there is, whatever its file is called."""

    def renamed(ufo: Path) -> None:
        (file,) = (ufo / "glyphs").glob("*.glif")
        name = file.read_text().partition('name="')[2].partition('"')[0]
        change(ufo)
        made = ufo / "glyphs" / "uni4E_00.glif"
        content = made.read_text().replace('name="one"', f'name="{name}"')
        made.unlink()
        file.write_text(content)

    return renamed


MUST_REFUSE: dict[str, Callable[[Path], object]] = {
    "entities in entities, in a glyph": _current(_glif(LAUGHS, before="<note>&a8;</note>")),
    "entities in entities, as a width": _current(_glif(LAUGHS, width="&a8;")),
    "entities in entities, in a list": _plist("glyphs/contents.plist", LAUGHS + "<plist><dict><key>&a8;</key><string>a.glif</string></dict></plist>"),
    "a glyph in the folder above": _contents("../../secret.glif"),
    "a glyph at an absolute place": _contents("{outside}/secret.glif"),
    "a glyph that is a folder": _contents("."),
    "a glyph that is a link to elsewhere": _link,
    "a glyph that is a pipe": _pipe,
    "a glyph of itself": _cycle,
    "2^40 components": _components(40, 2),
    "1000^3 components": _components(4, 1000),
    "a coordinate that is infinite": _current(_glif(outline=POINTS.format("1e999"))),
    "a coordinate that is no number": _current(_glif(outline=POINTS.format("nan"))),
    "a coordinate of 5000 digits": _current(_glif(outline=POINTS.format("9" * 5000))),
    "a coordinate of 1e300": _current(_glif(outline=POINTS.format("1e300"))),
    "a width that is infinite": _current(_glif(width="1e999")),
    "half a surrogate pair": _current(_glif(code="D800")),
    "a character beyond Unicode": _current(_glif(code="110000")),
    "unitsPerEm 0": _info("unitsPerEm", "<integer>0</integer>"),
    "unitsPerEm infinite": _info("unitsPerEm", "<real>inf</real>"),
    "unitsPerEm not a number": _info("unitsPerEm", "<real>nan</real>"),
    "ascender not a number": _info("ascender", "<real>nan</real><key>descender</key><real>0</real>"),
    "lists in lists": _plist("glyphs/contents.plist", "<plist><dict><key>a</key>" + "<array>" * 100_000 + "</array>" * 100_000 + "</dict></plist>"),
    "elements in elements": _current(_glif(before="<lib>" * 100_000 + "</lib>" * 100_000)),
    "a layer elsewhere": _plist("layercontents.plist", "<plist><array><array><string>public.default</string><string>../other</string></array></array></plist>"),
    "nothing but its name": lambda ufo: [path.unlink() for path in ufo.rglob("*") if path.is_file()],
}  # fmt: skip
# Taken, or refused in one line.
MAY: dict[str, Callable[[Path], object]] = {
    "an entity that reads a file": _current(_glif("<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>", before="<note>&a;</note>")),
    "a glyph of 40000 points": _current(_glif(outline=POINTS.format(500) * 14_000)),
    "family names that are code": _info("familyName", "<string>&#10;&lt;script&gt;/../../x&#x202e;&#x2028;</string>"),
    "unitsPerEm 16, drawn far outside": _info("unitsPerEm", "<integer>16</integer>"),
}  # fmt: skip


def sound(folder: Path) -> Path:
    ufo = folder / "a.ufo"
    write_ufo(ufo, [DrawnGlyph("一", SQUARE, 800)], units_per_em=1000, baseline=880, family="Hand")
    return ufo


def zipped(folder: Path, entries: dict[str, bytes], *, repeat: int = 1) -> Path:
    file = folder / "a.ufoz"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries.items():
            with packed.open(name, "w", force_zip64=True) as stream:
                for _ in range(repeat):
                    stream.write(content)
    return file
