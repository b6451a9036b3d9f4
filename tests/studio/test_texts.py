"""The catalogues of the studio say all that its code says, and a browser gets the language that it asks for."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from types import ModuleType

import pytest

from fontgan.studio.texts import ENGLISH, NAMES, choose_language, texts
from tests.versions import ROOT

LANGUAGES = sorted(set(NAMES) - {ENGLISH})


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """scripts/studio_texts.py."""
    spec = importlib.util.spec_from_file_location("studio_texts", ROOT / "scripts" / "studio_texts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_kind_of_text_is_gathered(script: ModuleType) -> None:
    found = script.gather()
    assert len(found) > 200
    for text, kind in (
        ("Steps", "an attribute of a template"),
        ("%(number)s glyphs", "one with a number"),
        ("waits", "noted(...) of words.py"),
        ("Likeness to glyphs it has never seen (SSIM)", "say(...) of a module"),
    ):
        assert found.get(text) is not None, kind


def test_there_is_a_catalogue_for_each_language(script: ModuleType) -> None:
    assert sorted(script.LANGUAGES) == LANGUAGES
    assert {file.stem for file in script.LOCALE.iterdir()} == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_says_all_that_the_code_says_and_nothing_else(script: ModuleType, language: str) -> None:
    """Run python scripts/studio_texts.py, which tells what is left to translate."""
    catalogue = {message.id: message for message in script.read(language) if message.id}
    assert set(catalogue) == {message.id for message in script.gather() if message.id}
    wrong = {text: found for text, message in catalogue.items() if (found := list(script.faults(message)))}
    assert wrong == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_script_would_leave_a_catalogue_as_it_is(script: ModuleType, language: str) -> None:
    assert script.merged(language, script.gather()) == (script.LOCALE / f"{language}.po").read_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_take_the_values_of_the_pages(script: ModuleType, language: str) -> None:
    """A stray percent sign would break a page where it is filled in."""
    for message in script.gather():
        if message.id and message.python_format:
            assert texts(language).gettext(message.id) % defaultdict(lambda: "7")
        elif message.id:
            assert texts(language).gettext(message.id) % {}  # as Jinja's newstyle gettext does with every text


def test_a_fault_of_a_translation_is_found(script: ModuleType) -> None:
    def faults(text: str, translated: str, flags: tuple[str, ...] = ()) -> list[str]:
        return list(script.faults(script.Message(text, translated, flags=flags)))

    assert faults("%(number)s glyphs", "%(number)s 字") == []
    assert faults("%(number)s glyphs", "%(numbers)s 字") == ["has other placeholders"]
    assert faults("Saved {char}.", "保存しました。") == ["has other placeholders"]
    assert faults("Save", "") == ["is not translated"]
    assert faults("Save", "保存", ("fuzzy",)) == ["is fuzzy"]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh-CN,zh;q=0.9", "zh_Hans"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh_Hans"),
        ("zh", "zh_Hans"),
        ("zh-SG", "zh_Hans"),
        ("zh-Hans-CN", "zh_Hans"),
        ("zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7", "zh_Hant"),
        ("zh-HK", "zh_Hant"),
        ("zh-MO", "zh_Hant"),
        ("zh-Hant-TW", "zh_Hant"),
        ("zh-hant-hk,en;q=0.5", "zh_Hant"),
        ("ja-JP", "ja"),
        ("ja,en-US;q=0.7,en;q=0.3", "ja"),
        ("en-US,en;q=0.9,ja;q=0.8", ENGLISH),
        ("en;q=0.4,ja;q=0.8", "ja"),
        ("ko-KR,ja;q=0.5", "ja"),
        ("ko", ENGLISH),
        ("*", ENGLISH),
        ("", ENGLISH),
        (",,;q=,;;-", ENGLISH),
        ("ja;q=much", ENGLISH),
        ("\x00%s{}", ENGLISH),
    ],
)
def test_the_language_is_what_the_browser_asks_for(accepted: str, language: str) -> None:
    assert choose_language(accepted) == language


def test_what_was_chosen_on_the_page_wins() -> None:
    assert choose_language("zh-CN", "ja") == "ja"
    assert choose_language("zh-CN", ENGLISH) == ENGLISH
    assert choose_language("zh-CN", "tlh") == "zh_Hans"  # a cookie of something else


def test_tags_are_those_of_html() -> None:
    assert {language: texts(language).tag for language in NAMES} == {
        ENGLISH: "en", "zh_Hans": "zh-Hans", "zh_Hant": "zh-Hant", "ja": "ja"
    }  # fmt: skip
    assert texts("tlh").tag == "en"
