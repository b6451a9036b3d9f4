"""The studio in a real browser: nothing is asked of anybody else, nothing overflows, everything has a name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers import BRUSH
from tests.studio.conftest import Studio
from tests.studio.test_pages import PAGES

# Elements that can be used, without a name that a screen reader could say.
NAMELESS = """
const named = (e) => (e.getAttribute("aria-label") || e.textContent || e.title || e.alt || "").trim() ||
  [...(e.labels || [])].some((label) => label.textContent.trim());
return [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, progress, meter, [role=textbox]")]
  .filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 200));
"""
TOO_WIDE = """
return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 &&
  !e.closest(".scroll, .hidden, .skip, pre, .grid, .log")).map((e) => e.outerHTML.slice(0, 120));
"""


def visit(browser: Any, address: str, width: int = 1280, scheme: str = "light") -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(address)


def requested(browser: Any) -> list[str]:
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


@pytest.fixture
def begun(studio: Studio) -> Studio:
    studio.post("/start/drop", files=[("Brush.ttf", BRUSH.read_bytes())])
    studio.wait(lambda: studio.jobs()[0]["ended"])
    studio.post("/commands/2/stop")
    return studio


def test_pages_ask_nobody_else_and_complain_of_nothing(begun: Studio, browser: Any) -> None:
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    for page in (*PAGES, "/hand/U+6C38", "/commands/1"):
        visit(browser, begun.address.rstrip("/") + page)
    urls = requested(browser)
    assert len(urls) > 20
    assert [url for url in urls if not url.startswith((begun.address, "data:", "blob:"))] == []
    # Of ink that is not there yet the server says so, and the browser notes it.
    said = [
        entry["message"]
        for entry in browser.get_log("browser")
        if "/ink/" not in entry["message"] and "/base/" not in entry["message"]
    ]
    assert said == []


@pytest.mark.parametrize("width", [1280, 390])
def test_everything_has_a_name_and_nothing_is_wider_than_the_page(begun: Studio, browser: Any, width: int) -> None:
    for page in (*PAGES, "/hand/U+6C38", "/commands/1"):
        visit(browser, begun.address.rstrip("/") + page, width)
        assert browser.execute_script(NAMELESS) == [], page
        assert browser.execute_script(TOO_WIDE) == [], page


def test_a_page_elsewhere_cannot_start_a_job(begun: Studio, browser: Any, tmp_path: Any) -> None:
    trap = tmp_path / "trap.html"
    trap.write_text(
        f'<form id="f" method="post" action="{begun.address}train/begin"></form><script>'
        f'fetch("{begun.address}train/begin", {{method: "POST", mode: "no-cors"}});'
        'setTimeout(() => document.getElementById("f").submit(), 300);</script>'
    )
    before = len(begun.jobs())
    browser.get(trap.as_uri())
    # The answer to the form; between two pages there is none.
    begun.wait(lambda: any("from another page" in body.text for body in browser.find_elements("tag name", "body")))
    assert len(begun.jobs()) == before


def test_files_that_do_not_arrive_are_told_of(studio: Studio, browser: Any) -> None:
    visit(browser, studio.address)
    said = browser.find_element("css selector", ".not-sent")
    assert not said.is_displayed()
    studio.kill()
    browser.find_element("css selector", "input[type=file]").send_keys(str(BRUSH))
    studio.wait(said.is_displayed, seconds=20)
    assert "did not arrive" in said.text
    assert not browser.find_element("css selector", ".sending").is_displayed()


def test_keys_reach_every_step(begun: Studio, browser: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    visit(browser, begun.address)
    seen = set()
    for _ in range(80):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        seen.add(
            browser.execute_script(
                "const e = document.activeElement; return e.getAttribute('href') || e.name || e.tagName"
            )
        )
    assert {"/hand", "/train", "/look", "/font", "charset", "family", "text", "language"} <= seen
