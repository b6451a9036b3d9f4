from __future__ import annotations

import numpy as np
import pytest

from tests.handwriting.simulated import CHARS, printed
from tests.helpers import fontgan


@pytest.fixture(scope="session")
def page_picture(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The command's own page of ``CHARS``, in a process of its own, in pixels."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "chars.txt").write_text(CHARS, encoding="utf-8")
    result = fontgan("template", f"chars={folder / 'chars.txt'}", f"out={folder / 'sheets.pdf'}", "ghost=true")
    assert result.returncode == 0, result.stderr
    assert "64 characters on 1 page of a4" in result.stderr
    (picture,) = printed(folder / "sheets.pdf")
    return picture
