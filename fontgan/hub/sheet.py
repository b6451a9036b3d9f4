"""The picture of a run that is passed on: what it draws, and no glyph of the fonts or hands that it learned from."""

from PIL import Image

from fontgan.data.sources import open_glyphs, say_spec
from fontgan.errors import DataError
from fontgan.generate.inference import Run
from fontgan.pictures.contact_sheet import contact_sheet
from fontgan.runtime.subsample import subsample_evenly

COLUMNS = 12
MAX_ROWS = 12  # styles


def drawn_sheet(run: Run, styles: list[str]) -> tuple[Image.Image, bool]:
    """The first styles, a row of characters each; above them the source, where it is one that everybody has.

    Returns: mode "L", and whether the characters were held out of the training.
    Raises: DataError if what the styles are drawn from is not at hand, or has none of the characters.
    """
    styles = styles[:MAX_ROWS]
    specs = [run.source_spec(style) for style in styles]
    sources = [open_glyphs(spec) for spec in specs]
    for chars in (run.manifest["held_out"], run.manifest["trained"]):
        there = list(chars)
        for source in sources:
            there = source.coverage(there).present
        if there:
            break
    else:
        raise DataError(f"{say_spec(specs[0])}: has no character that the run knows.")
    shown = subsample_evenly(there, COLUMNS)
    rows = []
    if isinstance(specs[0], str) and specs[0].startswith(("asset:", "shelf:")):
        rows.append(("source", list(run.source_pixels(sources[0], shown, styles[0]))))
    for style, source in zip(styles, sources, strict=True):
        view = run.view(style, extent="canvas")
        rows.append((style, list(run.stylise(run.inputs(source, shown, style), style, view=view))))
    return contact_sheet(rows), chars == run.manifest["held_out"]
