"""data.targets=FILE.yaml: styles from a list, as if they had been typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fontgan.config.compose import compose_config
from fontgan.config.instantiate import target_specs
from fontgan.config.saved import load_config
from fontgan.errors import ConfigError
from tests.helpers import BRUSH, KAI, SOURCE, TINY, Here


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Two styles, one by a path from the list's own folder, one with a source of its own."""
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "mine.ttf").symlink_to(BRUSH)
    file = tmp_path / "styles.yaml"
    file.write_text(f"mine: fonts/mine.ttf\nkai: {{font: {KAI}, source: [shelf:sans, fonts/mine.ttf]}}\n")
    return file


def test_styles_of_a_list_are_as_if_typed(listed: Path) -> None:
    config = compose_config("train", [*TINY, "data=fonts", f"data.source={SOURCE}", f"data.targets={listed}"])
    mine = str(listed.parent / "fonts" / "mine.ttf")
    assert config.data.targets == {"mine": mine, "kai": {"font": str(KAI), "source": ["shelf:sans", mine]}}


def test_the_saved_config_names_the_fonts_and_needs_no_list(listed: Path, tmp_path: Path, here: Here) -> None:
    out = tmp_path / "run"
    command = ("train", *TINY, "data=fonts", f"data.source={SOURCE}", f"data.targets={listed}", f"out={out}")
    assert here(*command).returncode == 0
    listed.unlink()
    assert list(load_config(out / "config.yaml").data.targets) == ["mine", "kai"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "is no file"), ("", "styles are needed"), ("- A.ttf", "styles are needed"),
        ("a: [", "is not YAML"), ("a: {font: A.ttf, sauce: B.ttf}", "a font or glyph folder is needed"),
        ("a: 3", "a font or glyph folder is needed"), ("a: ${b}", "interpolation"),
    ],
)  # fmt: skip
def test_a_list_that_will_not_do_is_refused_in_a_line(text: str | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "styles.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=said) as told:
        target_specs(compose_config("train", ["data=fonts", "data.source=shelf:sans", f"data.targets={file}"]))
    assert "\n" not in str(told.value)
