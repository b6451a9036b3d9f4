"""The proof page: what it holds, in what order, and that a real browser draws the font's own glyphs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from fontgan.data.frame import Frame
from fontgan.data.sources import open_glyphs
from fontgan.errors import DataError
from fontgan.evaluation.checks_file import read_checks
from fontgan.report import proof as page
from fontgan.report import specimens
from fontgan.report.proof import runs, write_proof
from tests.helpers import BRUSH, KAI, SOURCE, box, make_font, open_page, part_of

EVIL = "<script>alert(1)</script>"
CHARS = "一七万三上下不与专且世业东两严个中丰临为主举久么义之乎乐九也习乡书买乱了争事二于云互五亚些交产京亮"
OWN, MADE = CHARS[:20], CHARS[20:]
LETTERS = "fontgan 2026 Rg"
Refused = Callable[..., str]


def checks_file(file: Path, glyphs: dict[str, dict[str, Any]]) -> Path:
    passed = {"structure": 0.97, "legibility": None, "flags": [], "doubt": 0.02}
    listed = [{"char": char, **passed, **told} for char, told in glyphs.items()]
    text = {"made_by": "fontgan complete", "format": 1, "ocr": None, "glyphs": listed}
    file.write_text(json.dumps(text, ensure_ascii=False), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A brush font with 20 characters of its own and the rest made; 之 twice doubtful, 书 a little, 亮 never made."""
    folder = tmp_path_factory.mktemp("parts")
    told: dict[str, dict[str, Any]] = {char: {} for char in MADE}
    told["书"] = {"flags": ["illegible"], "doubt": 0.6, "legibility": 0.31}
    told["之"] = {"flags": ["structure", "illegible"], "doubt": 0.9, "structure": 0.12, "legibility": 0.2}
    return {
        "font": part_of(BRUSH, CHARS[:-1] + LETTERS, folder / "complete.ttf"),
        "target": part_of(BRUSH, OWN + LETTERS, folder / "own.ttf"),
        "source": SOURCE,
        "checks": checks_file(folder / "checks.json", told),
    }


@pytest.fixture(scope="module")
def proof(parts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("proof") / "proof.html"
    write_proof(parts["font"], out, **{key: parts[key] for key in ("target", "source", "checks")})
    return out


# -- the command ----------------------------------------------------------------------------


def test_the_command_says_what_is_doubtful_and_what_is_missing(parts, tmp_path, here):
    out = tmp_path / "new" / "proof.html"
    given = [f"{key}={parts[key]}" for key in ("font", "target", "source", "checks")]
    result = here("proof", *given, f"out={out}")
    assert result.returncode == 0, result.stderr
    assert "28 made glyphs, 2 of them doubtful: 之 书" in result.stderr
    assert "1 characters are not in the font: 亮" in result.stderr
    assert out.is_file()


def test_what_a_user_can_get_wrong_is_said_in_one_line(parts, tmp_path, refused: Refused):
    font, out = f"font={parts['font']}", f"out={tmp_path / 'proof.html'}"
    (tmp_path / "noise.ttf").write_bytes(b"no font at all")
    (tmp_path / "checks.json").write_text("{")
    taken = tmp_path / "taken.html"
    taken.write_text("mine")
    assert "not a font that can be read" in refused("proof", f"font={tmp_path / 'noise.ttf'}", out)
    assert "no such file" in refused("proof", "font=nowhere.ttf", out)
    assert "ends in .html" in refused("proof", font, f"out={tmp_path / 'proof.pdf'}")
    assert "no glyph to show" in refused("proof", font, out, f"target={parts['font']}")
    assert "no checks that can be read" in refused("proof", font, out, f"checks={tmp_path / 'checks.json'}")
    assert "no such font file or glyph folder" in refused("proof", font, out, "source=nowhere.ttf")
    assert "cannot be read as UTF-8 text" in refused("proof", font, out, "text=nowhere.txt")
    assert "overwrite=true" in refused("proof", font, f"out={taken}")
    assert taken.read_text() == "mine"
    assert not (tmp_path / "proof.html").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "no JSON object"),
        ('{"format": 2, "glyphs": []}', "format 2"),
        ('{"format": 1}', "glyphs"),
        ('{"format": 1, "glyphs": [{"char": "ab", "flags": [], "structure": 1, "legibility": 1, "doubt": 0}]}', "glyphs[0].char"),
        ('{"format": 1, "glyphs": [{"char": "a", "flags": "x", "structure": 1, "legibility": 1, "doubt": 0}]}', "flags"),
        ('{"format": 1, "glyphs": [{"char": "a", "flags": [], "structure": 7, "legibility": 1, "doubt": 0}]}', "glyphs[0].structure"),
        ("\x00", "no checks"),
    ],
)  # fmt: skip
def test_checks_of_another_kind_are_refused(tmp_path, content, said):
    (tmp_path / "checks.json").write_text(content)
    with pytest.raises(DataError, match="no checks that can be read") as error:
        read_checks(tmp_path / "checks.json")
    assert said in str(error.value)


def test_a_collection_is_refused(tmp_path, refused: Refused):
    (tmp_path / "a.ttc").write_bytes(b"ttcf" + bytes(40))
    assert "a collection" in refused("proof", f"font={tmp_path / 'a.ttc'}", f"out={tmp_path / 'a.html'}")


# -- parts ----------------------------------------------------------------------------------


def test_a_text_falls_into_own_made_and_lacking_pieces():
    assert runs("一二 三A", made={"二"}, present={"一", "二", "三"}) == [
        ("own", "一"), ("made", "二"), ("own", " 三"), ("lacks", "A"),
    ]  # fmt: skip


def test_sentences_are_chosen_that_the_font_can_set():
    assert [each.lang for each in specimens.sentences(set(map(chr, range(0x20, 0x7F))))] == ["en"]
    korean = set("봄이 오면 산에 눈이 녹고 강물은 마을을 지나 바다로 간다 아이들은 길에서 노래한다")
    (found,) = specimens.sentences(korean)
    assert (found.lang, found.vertical) == ("ko", True)
    assert "," not in found.text  # which such a font lacks
    (other,) = specimens.sentences(set(MADE))
    assert set(other.text) == set(MADE)


def test_own_and_made_characters_take_turns():
    line = specimens.alternating(MADE, OWN)
    assert all(a in OWN and b in MADE for a, b in zip(line[::2], line[1::2], strict=True))
    assert [text[1] for text in specimens.in_context("之书", OWN)] == ["之", "书"]


def test_a_very_large_font_is_cut_down_to_what_is_shown(monkeypatch, tmp_path):
    monkeypatch.setattr(page, "SUBSET_ABOVE", 100_000)
    data = page._embedded(KAI, set("一二三"))
    assert len(data) < 10_000
    assert set(TTFont(io.BytesIO(data)).getBestCmap()) - {0x20, 0x3000} == set(map(ord, "一二三"))
    font = TTFont(KAI)
    font.flavor = "woff"
    font.save(tmp_path / "kai.woff")
    assert set(map(ord, "一二三")) <= set(
        TTFont(io.BytesIO(page._embedded(tmp_path / "kai.woff", set("一二三")))).getBestCmap()
    )


def test_made_glyphs_without_ink_are_shown(tmp_path):
    font = make_font(tmp_path / "a.ttf", {"一": box(0, 300, 900, 400), "二": None, "三": None})
    checks = checks_file(tmp_path / "checks.json", {"二": {"flags": ["blank"], "doubt": 1.0}})
    told = write_proof(font, tmp_path / "a.html", checks=checks)
    assert (told.made, told.flagged, told.missing) == (2, ["二"], [])


# -- in a browser ---------------------------------------------------------------------------


def shown(browser: Any) -> list[str]:
    return list(browser.execute_script("return [...document.querySelectorAll('.cell')].filter(c => !c.hidden && c.getClientRects().length).map(c => c.dataset.c)"))  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_with_its_font_and_asks_for_nothing(browser, proof, width, scheme):
    open_page(browser, proof, width, scheme)
    assert browser.execute_script("return [...document.fonts].map(f => f.status)") == ["loaded"]
    assert browser.execute_script("return document.fonts.check('20px \"in proof\"', '之')")
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"]
    assert asked
    assert [url for url in asked if not url.startswith("data:")] == [proof.as_uri()]
    assert browser.execute_script("const e = document.documentElement; return e.scrollWidth <= e.clientWidth")
    luminance = browser.execute_script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")
    assert (int(luminance[0]) < 128) == (scheme == "dark")


def test_the_doubtful_come_first_with_the_reason_in_words(browser, proof):
    open_page(browser, proof)
    assert shown(browser) == ["之", "书", *sorted(set(MADE[:-1]) - {"之", "书"})]
    reasons = [why.text for why in browser.find_elements("css selector", ".why")]
    assert reasons == [
        "strokes may be missing or too many; was not read as its character",
        "was not read as its character",
    ]
    counts = [count.text for count in browser.find_elements("css selector", ".counts b")]
    assert counts == ["28", "2", str(20 + len(set(LETTERS) - {" "})), "1"]


def ink_of(browser: Any, selector: str) -> np.ndarray:
    """What an element shows on a screen of four pixels to the CSS pixel: True where there is ink."""
    place = browser.execute_script(
        "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center'});"
        "const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height].map(v => Math.round(4 * v))", selector
    )  # fmt: skip
    left, top, width, height = place
    seen = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("L")
    return np.asarray(seen.crop((left, top, left + width, top + height))) < 128


def overlap(seen: np.ndarray, font: Path, char: str) -> float:
    """With the glyph as FreeType draws it, at its best place: a browser moves boxes by up to a CSS pixel, here 4."""
    frame = Frame(224, 16, 16)  # the em is 0.875 of a cell of 256
    expected = open_glyphs(str(font)).rasterize(char, frame, 256) < 128
    moved = [np.roll(expected, (y, x), (0, 1)) for y in range(-4, 5) for x in range(-4, 5)]
    return max(float((seen & each).sum() / (seen | each).sum()) for each in moved)


@pytest.mark.slow
@pytest.mark.parametrize("font", [BRUSH, SOURCE], ids=["brush", "sans"])  # sans: its tables disagree about the baseline
def test_a_cell_shows_the_glyph_as_freetype_draws_it_beside_the_source(browser, tmp_path, font):
    write_proof(part_of(font, "之书", tmp_path / "a.ttf"), tmp_path / "a.html", source=KAI)
    open_page(browser, tmp_path / "a.html", dots=4)
    for char, other in ("之书", "书之"):
        made = ink_of(browser, f".cell[data-c='{char}'] .new")
        assert overlap(made, font, char) > 0.95
        assert overlap(made, font, other) < 0.6
        assert overlap(ink_of(browser, f".cell[data-c='{char}'] .src"), KAI, char) > 0.8


def test_the_filters_leave_what_they_say(browser, proof):
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select

    open_page(browser, proof)
    which = Select(browser.find_element("id", "which"))
    which.select_by_value("doubtful")
    assert shown(browser) == ["之", "书"]
    which.select_by_value("flag:structure")
    assert shown(browser) == ["之"]
    which.select_by_value("passed")
    assert len(shown(browser)) == 26
    which.select_by_value("")
    box = browser.find_element("id", "chars")
    box.send_keys("书U+4E24二")
    assert shown(browser) == ["书", "二"]  # 两 U+4E24 is the target's own
    assert browser.find_element("id", "showing").text == "2 of 28"
    box.send_keys(Keys.CONTROL + "a", Keys.DELETE)
    assert len(shown(browser)) == 28


def test_rejected_glyphs_gather_in_the_box(browser, proof):
    from selenium.webdriver.common.keys import Keys

    open_page(browser, proof)
    rejected = browser.find_element("id", "rejected")
    browser.execute_script("document.querySelector('.cell[data-c=\"乐\"] .no').click()")
    look = browser.find_element("css selector", ".cell[data-c='之'] .look")
    look.send_keys("r")
    assert rejected.get_property("value") == "之乐"
    look.send_keys(Keys.ENTER)
    dialog = browser.find_element("css selector", "dialog")
    assert dialog.is_displayed()
    assert "structure 0.12" in dialog.find_element("css selector", ".facts").text
    assert dialog.find_element("css selector", ".big .new").size["width"] > 200
    dialog.find_element("css selector", ".close").send_keys(Keys.ARROW_RIGHT)
    assert dialog.find_element("css selector", ".title").text.startswith("书")
    dialog.find_element("css selector", ".act .no").click()
    dialog.find_element("css selector", ".close").click()
    assert rejected.get_property("value") == "之书乐"
    look.send_keys("r")
    assert rejected.get_property("value") == "书乐"


def test_what_was_made_can_be_tinted_in_text(browser, proof):
    open_page(browser, proof)
    colours = "return ['.set .made', '.set'].map(s => getComputedStyle(document.querySelector(s)).color)"
    made, own = browser.execute_script(colours)
    assert made == own
    browser.find_element("id", "tint").click()
    made, own = browser.execute_script(colours)
    assert made != own


def test_names_and_flags_and_texts_run_nothing(browser, tmp_path):
    font = make_font(tmp_path / f"{EVIL.replace('/', '')}.ttf", {"一": box(0, 300, 900, 400), "<": box(0, 0, 500, 500)}, family=EVIL)  # fmt: skip
    checks = checks_file(tmp_path / "c.json", {"<": {"flags": ['"><img src=x onerror=alert(2)>'], "doubt": 1.0}})
    write_proof(font, tmp_path / "a.html", checks=checks, text=f"一{EVIL}")
    open_page(browser, tmp_path / "a.html")
    assert browser.find_element("css selector", "h1").text.startswith(EVIL)
    assert EVIL[1:-1] in browser.find_element("css selector", ".page").text
    assert len(browser.find_elements("css selector", "script")) == 1
    assert browser.find_elements("css selector", "img") == []
    assert browser.get_log("browser") == []
    lacks = browser.find_elements("css selector", ".page .lacks")
    assert lacks[0].text == "script>alert(1)"
    assert browser.find_element("css selector", "#text .about .warn").text.startswith("It lacks s c r")
