"""fontgan preview: the base's guess at a typeface, without training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.helpers import BRUSH, Here, make_font, part_of

HAS = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年"


def test_a_sheet_shows_known_and_other_glyphs(tmp_path: Path, here: Here, refused: Callable[..., str]) -> None:
    target, out = part_of(BRUSH, HAS, tmp_path / "Brush.ttf"), tmp_path / "sheet.png"
    text = tmp_path / "text.txt"
    text.write_text("永字\n八法。永", encoding="utf-8")
    made = here("preview", f"target={target}", f"text={text}", f"out={out}", "device=cpu", "precision=fp32")
    assert made.returncode == 0, made.stderr
    assert "source=auto: shelf:sans, since " in made.stderr
    assert "of the styles that the base knows, " in made.stderr
    assert f"fontgan complete target={target}" in made.stderr
    sheet = np.asarray(Image.open(out))
    rows = (len(sheet) - 4) // 132  # four rows of 128 px and the gaps between them
    assert rows == 4
    drawn = sheet[-132:-4]
    assert 0.02 < (drawn < 64).mean() < 0.4
    assert "is there already" in refused("preview", f"target={target}", f"out={out}")


def test_what_cannot_be_previewed_is_told_in_a_line(tmp_path: Path, refused: Callable[..., str]) -> None:
    target = part_of(BRUSH, HAS, tmp_path / "Brush.ttf")
    assert "no such font" in refused("preview", "target=nowhere.ttf", f"out={tmp_path / 'a.png'}")
    assert "text: shelf:sans lacks 한." in refused(
        "preview", f"target={target}", "text=永한", f"out={tmp_path / 'a.png'}"
    )
    empty = make_font(tmp_path / "empty.ttf", {"A": None})
    assert "shares no character" in refused("preview", f"target={empty}", f"out={tmp_path / 'a.png'}")
    assert not (tmp_path / "a.png").exists()
