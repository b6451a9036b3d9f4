"""The whole way in a real browser, started from nothing: from a font and from photographs to a file that others open."""

from __future__ import annotations

import io
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ots
import pytest
import uharfbuzz
from fontTools.ttLib import TTFont

from fontgan.data.charset_sets import NAMED
from fontgan.data.sources import open_glyphs
from fontgan.studio.jobs import Jobs
from tests.handwriting.simulated import CHARS, photograph, printed, save_jpeg, write
from tests.helpers import BRUSH, part_of
from tests.studio.conftest import Studio, kill_job
from tests.studio.test_browser import visit

WANTED = "江潮连海平月共生滟随波千万里何处"
SHORT = {"set:trainer.max_steps": "60", "set:trainer.eval_every": "20", "set:trainer.save_every": "20"}


class Page:
    """The browser at the studio."""

    def __init__(self, studio: Studio, browser: Any):
        self.studio, self.browser = studio, browser

    def go(self, path: str) -> None:
        visit(self.browser, self.studio.address.rstrip("/") + path)

    def one(self, selector: str) -> Any:
        from selenium.webdriver.common.by import By

        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def until(self, what: Callable[[], Any], seconds: float = 600) -> Any:
        """Waits for what the page shows by itself, without being loaded anew."""
        from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException

        end = time.monotonic() + seconds
        while True:
            try:
                if found := what():
                    return found
            except (NoSuchElementException, StaleElementReferenceException):
                pass
            assert time.monotonic() < end, (self.studio.jobs(), self.browser.page_source[-3000:])
            time.sleep(0.3)

    def drop(self, *files: Path) -> None:
        """Gives files to the page as a drop on it does: to the script that takes them."""

        def given() -> bool:
            self.one("input[type=file]").send_keys("\n".join(map(str, files)))
            return True

        self.until(given, seconds=20)  # the page may be drawing itself anew

    def write(self, name: str, text: str) -> None:
        field = self.one(f'[name="{name}"]')
        field.clear()
        field.send_keys(text)

    def click(self, selector: str) -> None:
        self.browser.execute_script("arguments[0].click()", self.one(selector))

    def draw_stroke(self) -> None:
        """With a pen, across the sheet."""
        sheet = self.one("ink-canvas canvas")
        box = self.browser.execute_script(
            "arguments[0].scrollIntoView({block: 'center'}); const r = arguments[0].getBoundingClientRect(); return [r.x, r.y, r.width]",
            sheet,
        )
        for kind, at in [
            ("mousePressed", 0.3),
            *(("mouseMoved", 0.3 + k / 50) for k in range(20)),
            ("mouseReleased", 0.7),
        ]:
            point = {
                "x": box[0] + at * box[2],
                "y": box[1] + 0.5 * box[2],
                "button": "left",
                "buttons": 1,
                "clickCount": 1,
            }
            self.browser.execute_cdp_cmd(
                "Input.dispatchMouseEvent", point | {"type": kind, "pointerType": "pen", "force": 0.5}
            )

    def choose_and_train(self, kill_during: tuple[str, ...] = ()) -> None:
        """Chooses what to have, trains and builds; kills the server and the work at these stages, and goes on."""
        self.until(lambda: self.one(".choices"))
        self.click('[name=charset][value="own"]')
        self.write("chars", WANTED)
        self.write("family", "Spring River")
        self.write("text", "江潮连海")
        self.click(".choices .big-button")
        self.until(lambda: self.one("#expected .counts"))
        assert "minutes on this machine" in self.one("#expected").text
        self.browser.execute_script("document.querySelector('.settings').open = true")
        for name, value in SHORT.items():
            self.write(name, value)
        self.click("#button button")
        for stage in kill_during:
            self.until(lambda stage=stage: stage in self.jobs().last("complete").log)  # type: ignore[union-attr]
            self.break_off()
        self.until(lambda: self.jobs().last("complete").state in ("done", "failed"))  # type: ignore[union-attr]
        made = self.jobs().last("complete")
        assert made
        assert made.state == "done", made.log

    def break_off(self) -> None:
        """Server and training die, as when the power goes; the page is opened again and shows where things stand."""
        self.studio.kill()
        job = self.jobs().last("complete")
        assert job
        kill_job(job)
        self.studio.wait(lambda: self.jobs().get(job.number).state != "running")  # type: ignore[union-attr]
        self.studio.start()
        self.go("/train")
        self.click("#button button")  # go on

    def jobs(self) -> Jobs:
        return Jobs(self.studio.project)


def opens_everywhere(file: Path, chars: str) -> None:
    """In HarfBuzz, OTS and fontTools, with a glyph of each character."""
    assert ots.sanitize(str(file), capture_output=True).returncode == 0
    cmap = TTFont(file).getBestCmap()
    assert {ord(char) for char in chars} <= set(cmap)
    buffer = uharfbuzz.Buffer()
    buffer.add_str(chars)
    buffer.guess_segment_properties()
    uharfbuzz.shape(uharfbuzz.Font(uharfbuzz.Face(file.read_bytes())), buffer)
    assert all(info.codepoint for info in buffer.glyph_infos)
    assert len(open_glyphs(str(file)).coverage(list(chars)).drawn) == len(chars)


@pytest.fixture
def page(studio: Studio, browser: Any) -> Page:
    opened = Page(studio, browser)
    opened.go("/")
    return opened


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "kill_during", [(), ("step 20, held-out", "4 of 5: tracing")], ids=["undisturbed", "killed twice"]
)
def test_from_a_font_to_the_finished_font(page: Page, tmp_path: Path, kill_during: tuple[str, ...]) -> None:
    has = [char for char in open_glyphs(str(BRUSH)).coverage(NAMED["gb2312-1"]()).present if char not in WANTED][:600]
    page.drop(part_of(BRUSH, "".join(has), tmp_path / "Brush600.ttf"))
    page.choose_and_train(kill_during)

    page.go("/look")
    page.until(lambda: page.one(".cell"))
    cells = page.browser.find_elements("css selector", ".cell")
    assert {cell.get_attribute("data-c") for cell in cells} == set(WANTED)
    rejected = cells[0].get_attribute("data-c")
    page.browser.execute_script("arguments[0].focus()", page.one(".cell .look"))
    page.one(".cell .look").send_keys("r")
    page.until(lambda: (page.studio.project / "font" / "work" / "reject.txt").is_file())
    mended = cells[1].get_attribute("data-c")
    before = (page.studio.project / "font" / "SpringRiver.ttf").read_bytes()

    page.go(f"/look/U+{ord(mended):04X}")
    page.until(lambda: page.one("ink-canvas canvas"))
    time.sleep(1)  # until the glyph lies on the sheet
    page.draw_stroke()
    page.browser.execute_script("document.querySelector('ink-canvas').focus()")
    page.click("ink-canvas button.save")
    page.until(lambda: list((page.studio.project / "font" / "work" / "redraw").glob("U+*.png")))

    page.go("/font")
    page.click('.formats [value="woff2"]')
    page.click("form[action='/font/build'] button")
    page.until(lambda: "formats=[woff2]" in page.studio.jobs()[-1]["command"] and page.studio.jobs()[-1]["ended"])
    assert page.studio.jobs()[-1]["code"] == 0, page.studio.jobs()[-1]["log"]
    page.go("/font")
    page.until(lambda: page.browser.execute_script("return document.fonts.check('20px made', '江')"))
    for name in ("SpringRiver.ttf", "SpringRiver.woff2"):
        answer = page.studio.get(f"/file/font/{name}?download")
        assert answer.headers["content-disposition"].startswith("attachment")
        (tmp_path / name).write_bytes(answer.body)
    made = "".join(char for char in WANTED if char != rejected)
    opens_everywhere(tmp_path / "SpringRiver.ttf", made + "".join(has[:20]))
    font = TTFont(tmp_path / "SpringRiver.ttf")
    assert ord(rejected) not in font.getBestCmap()
    assert ord(rejected) in TTFont(io.BytesIO(before)).getBestCmap()
    assert "1 drawn anew by hand" in font["name"].getDebugName(10)
    assert TTFont(tmp_path / "SpringRiver.woff2").flavor == "woff2"
    packed = zipfile.ZipFile(io.BytesIO(page.studio.get("/ufo").body))
    assert "outlines.ufo/metainfo.plist" in packed.namelist()
    # What the studio did can be done again by the commands that it shows.
    told = page.studio.get("/commands").text
    assert "fontgan complete target=in/Brush600.ttf charset=wanted.txt" in told


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_from_photographs_to_the_finished_font(page: Page, tmp_path: Path) -> None:
    from fontgan.handwriting.sheet import lay_out

    page.go("/hand")
    page.write("chars", CHARS)
    page.click("form[action='/hand/sheets'] button")
    page.until(lambda: page.one('#sheets a[href="/file/sheets.pdf?download"]'))
    (tmp_path / "sheets.pdf").write_bytes(page.studio.get("/file/sheets.pdf?download").body)
    pictures = [
        save_jpeg(photograph(write(paper, sheet, BRUSH, seed=1).picture, turn=2, noise=3), tmp_path / f"IMG_{n}.jpg")
        for n, (paper, sheet) in enumerate(
            zip(printed(tmp_path / "sheets.pdf"), lay_out(list(CHARS), "a4", 20), strict=True)
        )
    ]
    page.drop(*pictures)
    page.until(lambda: len(list((page.studio.project / "hand").glob("U+*.png"))) >= 60)
    page.until(lambda: page.jobs().last("scan").state == "done")  # type: ignore[union-attr]
    page.go("/hand")
    assert len(page.browser.find_elements("css selector", ".hand-cells .cell")) >= 60
    page.click("form[action='/hand/use'] button")
    page.choose_and_train()
    file = tmp_path / "made.ttf"
    file.write_bytes(page.studio.get("/file/font/SpringRiver.ttf").body)
    opens_everywhere(file, "".join(char for char in WANTED if char not in CHARS) + CHARS[:20])
    page.go("/font")
    page.until(lambda: page.browser.execute_script("return document.fonts.check('20px made', '江')"))
    assert TTFont(file)["name"].getDebugName(1) == "Spring River"


def test_a_font_of_an_empty_hand_begins_with_a_sheet_to_draw_on(page: Page) -> None:
    page.write("family", "My Hand")
    page.click("form[action='/start/hand'] button")
    page.until(lambda: "/hand" in page.browser.current_url)
    page.go("/hand/U+4E00")
    page.until(lambda: page.one("ink-canvas canvas"))
    time.sleep(1)
    page.draw_stroke()
    page.click("ink-canvas button.save")
    page.until(lambda: (page.studio.project / "hand" / "U+4E00.png").is_file())
    assert (page.studio.project / "ink" / "hand" / "U+4E00.json").is_file()


def test_a_studio_is_open_in_a_moment() -> None:
    """That of ``fontgan studio`` alone is measured: nothing heavy is imported before the first page."""
    code = "import sys; import fontgan.studio.server, fontgan.studio.pages; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
