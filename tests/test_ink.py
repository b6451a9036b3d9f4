"""Ink: its JSON, the glyph image that it becomes, and the sheet that it is written on, in a real browser."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from fontgan.data.sources import open_glyphs
from fontgan.handwriting.ink import MAX_POINTS, MAX_STROKE_POINTS, MAX_STROKES, Ink, Stroke, draw_ink, parse_ink
from fontgan.handwriting.sheet import CANVAS_EMS, ROOM, canvas_frame
from tests.helpers import SOURCE

SIZE = 256
EM = canvas_frame(SIZE).scale
STATIC = Path(__file__).parents[1] / "fontgan" / "studio" / "static"
REPORT_CSS = STATIC.parents[1] / "report" / "templates" / "report.css"
EDGE = 96  # grey levels: a browser takes few samples of an edge that lies almost level, which may err by a third of a pixel
POLICY = "default-src 'self'; img-src 'self' data: blob:"

Point = tuple[float, float, float]


def stroke(*points: Point, width: float = 0.1, erase: bool = False) -> Stroke:
    return Stroke(list(points), width, erase)


def darkness(image: np.ndarray) -> float:
    """Pixels of ink, partly covered ones in part."""
    return float((255 - image.astype(float)).sum() / 255)


def drawn(*strokes: Stroke, base: np.ndarray | None = None) -> np.ndarray:
    return draw_ink(Ink("永", list(strokes)), SIZE, base)


# -- the image ------------------------------------------------------------------------------


@pytest.mark.parametrize("pressure", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("end", [(0.8, 0.5), (0.5, 0.9), (0.8, 0.8), (0.9, 0.37)])
def test_a_straight_stroke_is_as_wide_as_its_pressure_says(end: tuple[float, float], pressure: float) -> None:
    image = drawn(stroke((0.2, 0.5, pressure), (*end, pressure)))
    length, width = EM * np.hypot(end[0] - 0.2, end[1] - 0.5), EM * 0.1 * (0.25 + 1.5 * pressure)
    assert (darkness(image) - np.pi * width**2 / 4) / length == pytest.approx(width, abs=1 / 8)


def test_a_dot_is_round_and_where_it_was_set() -> None:
    image = drawn(stroke((0.25, 0.75, 0.5), width=0.2))
    assert darkness(image) == pytest.approx(np.pi * (0.1 * EM) ** 2, rel=0.005)
    ys, xs = np.nonzero(image < 128)
    assert np.mean(xs + 0.5) == pytest.approx(EM * (0.25 + ROOM), abs=1 / 8)
    assert np.mean(ys + 0.5) == pytest.approx(EM * (0.75 + ROOM), abs=1 / 8)
    assert np.ptp(xs) == np.ptp(ys)


def test_a_stroke_that_swells_is_the_hull_of_its_ends() -> None:
    """Two circles of radius a and b, d apart: the area of their hull, by its own formula."""
    image = drawn(stroke((0.2, 0.3, 0.1), (0.8, 0.6, 0.9)))
    a, b = (EM * 0.05 * (0.25 + 1.5 * pressure) for pressure in (0.1, 0.9))
    d = EM * np.hypot(0.6, 0.3)
    lean = np.arccos((a - b) / d)
    assert darkness(image) == pytest.approx(
        (a + b) * np.sqrt(d**2 - (a - b) ** 2) + a**2 * (np.pi - lean) + b**2 * lean, rel=0.005
    )


def test_more_points_on_the_same_way_make_no_lumps() -> None:
    few = drawn(stroke((0.1, 0.2, 0.3), (0.9, 0.7, 0.8)))
    many = drawn(stroke(*(tuple(point) for point in np.linspace((0.1, 0.2, 0.3), (0.9, 0.7, 0.8), 300).tolist())))
    assert np.abs(few.astype(int) - many.astype(int)).max() <= 8


def test_a_jitter_of_a_pixel_hardly_shows() -> None:
    """A slow slanting line, as a mouse of whole pixels reports it at 560 px."""
    steps = np.linspace(0, 1, 120)
    way = np.stack([0.2 + 0.6 * steps, 0.4 + 0.2 * steps], axis=1)
    whole = np.rint(way * 483) / 483
    image = drawn(stroke(*((x, y, 0.5) for x, y in whole.tolist())))
    straight = drawn(stroke((0.2, 0.4, 0.5), (0.8, 0.6, 0.5)))
    assert np.abs(image.astype(int) - straight.astype(int)).max() < 80  # a third of a pixel at its edge


def test_strokes_are_drawn_and_erased_in_their_order() -> None:
    ink, eraser = stroke((0.2, 0.5, 0.5), (0.8, 0.5, 0.5)), stroke((0.5, 0.2, 0.5), (0.5, 0.8, 0.5), erase=True)
    middle = round(EM * (0.5 + ROOM))
    assert drawn(ink, eraser)[middle, middle] == 255
    assert drawn(eraser, ink)[middle, middle] == 0
    assert darkness(drawn(ink, eraser)) < darkness(drawn(ink)) - 400


def test_a_glyph_is_mended_and_otherwise_left_as_it_is() -> None:
    base = open_glyphs(str(SOURCE)).rasterize("永", canvas_frame(SIZE), SIZE)
    before = base.copy()
    assert np.array_equal(drawn(base=base), base)
    mended = drawn(stroke((0.0, 0.0, 0.5), width=0.2), stroke((0.5, 0.5, 1), width=0.2, erase=True), base=base)
    middle, corner = round(EM * (0.5 + ROOM)), round(EM * ROOM)
    assert (mended[middle, middle], mended[corner, corner]) == (255, 0)
    assert np.array_equal(mended[180:], base[180:])
    assert np.array_equal(base, before)


def test_what_reaches_beyond_the_canvas_is_cut_off() -> None:
    outside = stroke((-0.25, -0.2, 1), (1.25, -0.2, 1), width=0.05)
    assert darkness(drawn(outside)) == 0
    across = drawn(stroke((-0.25, 0.5, 0.5), (1.25, 0.5, 0.5)))
    assert darkness(across) == pytest.approx(SIZE * 0.1 * EM, rel=0.01)


@pytest.mark.parametrize("size", [16, 96, 512])
def test_every_size_shows_the_same(size: int) -> None:
    small = draw_ink(Ink("一", [stroke((0.2, 0.5, 0.2), (0.5, 0.4, 0.9), (0.8, 0.6, 0.4))]), size)
    assert small.shape == (size, size)
    large = drawn(stroke((0.2, 0.5, 0.2), (0.5, 0.4, 0.9), (0.8, 0.6, 0.4)))
    assert darkness(small) / size**2 == pytest.approx(darkness(large) / SIZE**2, rel=0.02)


@pytest.mark.parametrize(
    ("size", "base"),
    [(8, None), (4096, None), (64, np.zeros((32, 32), np.uint8)), (64, np.zeros((64, 64), np.float32))],
)
def test_other_sizes_and_bases_are_refused(size: int, base: np.ndarray | None) -> None:
    with pytest.raises(ValueError, match=r"needed$"):
        draw_ink(Ink("一", []), size, base)


# -- the JSON -------------------------------------------------------------------------------


def content(**changes: Any) -> dict[str, Any]:
    line = {"points": [[0.1, 0.2, 0.5], [1, 1, 1]], "width": 0.06, "erase": False}
    return {"format": 1, "char": "永", "strokes": [{**line, **changes.pop("stroke", {})}], **changes}


def test_ink_comes_back_from_its_json() -> None:
    ink = parse_ink(json.dumps(content()).encode())
    assert ink == Ink("永", [stroke((0.1, 0.2, 0.5), (1, 1, 1), width=0.06)])
    assert parse_ink(ink.as_json()) == ink


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"format": 2}, "format 2"),
        ({"char": "永字"}, "char: .*length"),
        ({"colour": "red"}, "colour"),
        ({"strokes": None}, "strokes: "),
        ({"strokes": [content()["strokes"][0]] * (MAX_STROKES + 1)}, str(MAX_STROKES)),
        ({"strokes": [{"points": [[0, 0, 0]] * 4000, "width": 0.1, "erase": False}] * 3}, f"12000.*{MAX_POINTS}"),
        ({"stroke": {"points": []}}, r"strokes\[0\].points: .*>= 1"),
        ({"stroke": {"points": [[0, 0, 0]] * (MAX_STROKE_POINTS + 1)}}, str(MAX_STROKE_POINTS)),
        ({"stroke": {"points": [[0, 0]]}}, "length 3"),
        ({"stroke": {"points": [[0, 1.3, 0]]}}, "<= 1.25"),
        ({"stroke": {"points": [[-0.3, 0, 0]]}}, ">= -0.25"),
        ({"stroke": {"points": [[0, 0, 1.1]]}}, "<= 1"),
        ({"stroke": {"points": [[0, 0, float("nan")]]}}, "float"),
        ({"stroke": {"points": [[float("inf"), 0, 0]]}}, "float"),
        ({"stroke": {"width": 0.6}}, "width: .*<= 0.5"),
        ({"stroke": {"width": 0}}, "width: .*>= 0.005"),
        ({"stroke": {"erase": 1}}, "erase: .*bool"),
    ],
)
def test_other_json_is_refused_in_one_line(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as refusal:
        parse_ink(json.dumps(content(**changed)).encode())
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b"[" * 100_000, b" " * 2**20 + b"{}"])
def test_what_is_no_json_object_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        parse_ink(data)
    assert "\n" not in str(refusal.value)


# -- the sheet, in a browser ----------------------------------------------------------------


@dataclass
class Studio:
    """A server of one page with one sheet, which keeps what is saved."""

    url: str = ""
    attributes: dict[str, str] = field(default_factory=lambda: {"char": "永", "ink": "/ink", "save": "/save"})
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    saved: list[bytes] = field(default_factory=list)
    refusal: str = ""

    def page(self) -> str:
        attributes = " ".join(f"{name}='{value}'" for name, value in self.attributes.items())
        links = "".join(f'<link rel="stylesheet" href="/{name}">' for name in ("report.css", "ink.css"))
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width">{links}'
        body = f"<main><h2>Write</h2><ink-canvas {attributes}></ink-canvas></main>"
        return f'<!doctype html><title>ink</title>{head}<script type="module" src="/ink.js"></script>{body}'

    def answer(self, path: str) -> tuple[int, str, bytes]:
        file = REPORT_CSS if path == "/report.css" else STATIC / path[1:]
        if path == "/":
            return 200, "text/html", self.page().encode()
        if path == "/favicon.ico":
            return 204, "image/png", b""
        if path == "/ink":
            return (200, "application/json", self.saved[-1]) if self.saved else (404, "text/plain", b"none")
        if path[1:] in self.pictures:
            stream = io.BytesIO()
            Image.fromarray(self.pictures[path[1:]]).save(stream, "png")
            return 200, "image/png", stream.getvalue()
        kinds = {".js": "text/javascript", ".css": "text/css"}
        return (200, kinds[file.suffix], file.read_bytes()) if file.suffix in kinds else (404, "text/plain", b"none")


@pytest.fixture
def studio() -> Iterator[Studio]:
    here = Studio()

    class Handler(BaseHTTPRequestHandler):
        def give(self, code: int, kind: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.give(*here.answer(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if here.refusal:
                self.give(400, "text/plain", here.refusal.encode())
                return
            here.saved.append(body)
            self.give(204, "text/plain", b"")

        def log_message(self, *_: Any) -> None:
            """Says nothing: tests tell what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    here.url = f"http://127.0.0.1:{server.server_address[1]}/"
    yield here
    server.shutdown()
    thread.join()
    server.server_close()


class Hand:
    """Writes on the sheet of an open page, and looks at it."""

    def __init__(self, browser: Any, url: str, width: int = 1280, dots: float = 1):
        self.browser = browser
        size = {"width": width, "height": 900, "deviceScaleFactor": dots, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get_log("browser")
        self.open(url)

    def open(self, url: str) -> None:
        self.browser.get(url)
        self.wait(lambda: self.js("return Boolean(document.querySelector('ink-canvas').history)"))

    def js(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(f"const ink = document.querySelector('ink-canvas'); {script}", *arguments)

    def wait(self, condition: Callable[[], Any]) -> None:
        WebDriverWait(self.browser, 10).until(lambda _: condition())

    def send(self, kind: str, point: Point, pointer: str) -> None:
        box = self.js(
            "const { x, y, width } = ink.querySelector('.sheet').getBoundingClientRect(); return [x, y, width]"
        )
        x, y = (start + (em + ROOM) / CANVAS_EMS * box[2] for start, em in zip(box[:2], point[:2], strict=True))
        if pointer == "touch":
            kind = {"mousePressed": "touchStart", "mouseMoved": "touchMove", "mouseReleased": "touchEnd"}[kind]
            points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
            self.browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            return
        event = {
            "type": kind,
            "x": x,
            "y": y,
            "button": "left",
            "buttons": 1,
            "pointerType": pointer,
            "clickCount": 1,
        }
        self.browser.execute_cdp_cmd("Input.dispatchMouseEvent", {**event, "force": point[2]})

    def write(self, *points: Point, pointer: str = "pen", lift: bool = True) -> None:
        self.send("mousePressed", points[0], pointer)
        for point in points[1:]:
            self.send("mouseMoved", point, pointer)
        if lift:
            self.send("mouseReleased", points[-1], pointer)

    def press(self, *keys: str) -> None:
        self.browser.switch_to.active_element.send_keys(*keys)

    def click(self, name: str) -> None:
        self.browser.find_element("css selector", f"ink-canvas button.{name}").click()

    def strokes(self) -> list[dict[str, Any]]:
        return self.js("return ink.ink.strokes")

    def status(self) -> str:
        return self.js("return ink.querySelector('.status').textContent")

    def seen(self) -> np.ndarray:
        """(N, N) uint8, 0 ink .. 255 paper: the ink on the sheet, in the screen's own pixels."""
        data = self.js("return ink.querySelector('canvas.ink').toDataURL()")
        return 255 - np.asarray(Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))))[:, :, 3]

    def save(self, studio: Studio) -> Ink:
        before = len(studio.saved)
        self.click("save")
        self.wait(lambda: len(studio.saved) > before and self.status().startswith("Saved"))
        return parse_ink(studio.saved[-1])


def curve(*corners: Point, steps: int = 12) -> list[Point]:
    """Points along a parabola, with what the pen presses there."""
    a, b, c = np.array(corners)
    ts = np.linspace(0, 1, steps)[:, None]
    return [(x, y, p) for x, y, p in ((1 - ts) ** 2 * a + 2 * ts * (1 - ts) * b + ts**2 * c).tolist()]


YONG = [  # the eight ways of a brush, in five strokes
    curve((0.44, 0.08, 0.15), (0.52, 0.1, 0.9), (0.56, 0.19, 0.7), steps=7),
    [
        *curve((0.3, 0.29, 0.75), (0.42, 0.27, 0.3), (0.53, 0.25, 0.7), steps=8),
        *curve((0.53, 0.27, 0.7), (0.52, 0.6, 0.45), (0.52, 0.88, 0.75), steps=14)[1:],
        *curve((0.52, 0.9, 0.75), (0.47, 0.88, 0.4), (0.4, 0.81, 0.0), steps=7)[1:],
    ],
    [
        *curve((0.14, 0.47, 0.7), (0.25, 0.46, 0.35), (0.37, 0.43, 0.7), steps=8),
        *curve((0.37, 0.45, 0.6), (0.3, 0.65, 0.4), (0.1, 0.78, 0.0), steps=12)[1:],
    ],
    curve((0.8, 0.31, 0.8), (0.72, 0.42, 0.45), (0.56, 0.5, 0.05), steps=10),
    [
        *curve((0.54, 0.45, 0.1), (0.64, 0.66, 0.6), (0.8, 0.81, 1.0), steps=14),
        *curve((0.8, 0.81, 1.0), (0.88, 0.84, 0.5), (0.95, 0.84, 0.0), steps=7)[1:],
    ],
]


def difference(browser: np.ndarray, ink: Ink, base: np.ndarray | None = None) -> tuple[float, int]:
    """Mean and largest, in grey levels, between what is seen and what ``draw_ink`` makes of it."""
    apart = np.abs(browser.astype(int) - draw_ink(ink, len(browser), base).astype(int))
    return float(apart.mean()), int(apart.max())


@pytest.mark.parametrize(("width", "dots"), [(1280, 1), (390, 2)])
def test_what_is_seen_is_what_is_saved_and_drawn(browser: Any, studio: Studio, width: int, dots: float) -> None:
    hand = Hand(browser, studio.url, width, dots)
    for points in YONG:
        hand.write(*points)
    wet = hand.seen()
    ink = hand.save(studio)
    assert [len(one.points) for one in ink.strokes] == pytest.approx([len(points) for points in YONG], abs=2)
    for one, points in zip(ink.strokes, YONG, strict=True):
        assert np.abs(np.array(one.points[:4]) - points[:4]).max() < 0.01
    mean, most = difference(wet, ink)
    assert mean < 0.2
    assert most <= EDGE
    hand.js("ink.sheet.drawAll()")
    assert np.abs(hand.seen().astype(int) - wet.astype(int)).max() <= 2  # in parts as at once
    assert len(wet) == pytest.approx(dots * hand.js("return ink.querySelector('.sheet').clientWidth"), abs=1)
    assert [entry for entry in browser.get_log("browser") if "/ink - " not in entry["message"]] == []


def test_undo_redo_clear_and_the_eraser(browser: Any, studio: Studio) -> None:
    hand = Hand(browser, studio.url)
    blank = hand.seen()
    hand.write((0.2, 0.5, 0.5), (0.8, 0.5, 0.5))
    line = hand.seen()
    hand.press("e")
    hand.write((0.5, 0.2, 0.5), (0.5, 0.8, 0.5))
    erased = hand.seen()
    assert [one["erase"] for one in hand.strokes()] == [False, True]
    middle = len(blank) // 2
    assert (line[middle, middle], erased[middle, middle]) == (0, 255)
    hand.press(Keys.CONTROL, "z")
    assert np.array_equal(hand.seen(), line)
    hand.press(Keys.CONTROL, "z")
    assert np.array_equal(hand.seen(), blank)
    hand.press(Keys.CONTROL, Keys.SHIFT, "z")
    hand.press(Keys.CONTROL, Keys.SHIFT, "z")
    assert np.array_equal(hand.seen(), erased)
    hand.click("clear")
    assert np.array_equal(hand.seen(), blank)
    hand.click("undo")
    assert np.array_equal(hand.seen(), erased)
    assert difference(erased, hand.save(studio))[1] <= EDGE


def test_width_follows_its_keys_and_is_remembered(browser: Any, studio: Studio) -> None:
    hand = Hand(browser, studio.url)
    hand.js("localStorage.clear()")
    hand.open(studio.url)
    for pointer in ("mouse", "touch"):
        hand.write((0.2, 0.5, 0.9), (0.8, 0.5, 0.9), pointer=pointer)
        assert {point[2] for point in hand.strokes()[-1]["points"]} == {0.5}
    hand.press("]", "]", "]")
    hand.write((0.2, 0.5, 0.5), (0.8, 0.5, 0.5))
    first, _, wider = (one["width"] for one in hand.strokes())
    assert first == 0.06
    assert wider == pytest.approx(0.06 * 100 ** (6 / 100), rel=0.06)
    hand.open(studio.url)
    hand.write((0.2, 0.2, 0.5), (0.8, 0.2, 0.5))
    assert hand.strokes()[-1]["width"] == wider


def test_unsaved_strokes_outlive_the_page_until_they_are_saved(browser: Any, studio: Studio) -> None:
    hand = Hand(browser, studio.url)
    hand.write((0.2, 0.5, 0.5), (0.8, 0.5, 0.5))
    hand.save(studio)
    hand.write((0.5, 0.2, 0.5), (0.5, 0.8, 0.5))
    written, seen = hand.strokes(), hand.seen()
    hand.open(studio.url)
    assert hand.strokes() == written
    assert np.array_equal(hand.seen(), seen)
    assert hand.status() == "Strokes of 永 that were not saved are back."
    hand.click("undo")
    assert len(hand.strokes()) == 1
    hand.click("redo")
    studio.refusal = "the folder is full\nand more"
    hand.click("save")
    hand.wait(lambda: hand.status() == "永 is not saved: the folder is full")
    studio.refusal = ""
    browser.find_element("css selector", "ink-canvas .sheet").send_keys(Keys.ENTER)
    hand.wait(lambda: len(studio.saved) == 2 and hand.status().startswith("Saved"))
    assert hand.js("return Object.keys(localStorage).filter((key) => key.includes('永'))") == []
    hand.open(studio.url)
    assert (hand.strokes(), hand.status()) == (written, "")


def test_a_glyph_is_mended_over_a_ghost(browser: Any, studio: Studio) -> None:
    glyphs = open_glyphs(str(SOURCE))
    studio.pictures = {name: glyphs.rasterize(name[0], canvas_frame(560), 560) for name in ("永.png", "国.png")}
    studio.pictures = {"ghost.png": studio.pictures["永.png"], "base.png": studio.pictures["国.png"]}
    studio.attributes |= {"ghost": "/ghost.png", "base": "/base.png", "texts": json.dumps({"save": "Speichern"})}
    hand = Hand(browser, studio.url)
    base = studio.pictures["base.png"]
    assert np.abs(hand.seen().astype(int) - base).max() <= 1
    hand.press("x")  # no key of the sheet
    hand.click("eraser")
    hand.write((0.3, 0.3, 0.5), (0.7, 0.7, 0.9))
    hand.click("pen")
    hand.write((0.3, 0.7, 0.5), (0.7, 0.3, 0.9))
    assert browser.find_element("css selector", "ink-canvas button.save").text == "Speichern"
    assert difference(hand.seen(), hand.save(studio), base)[1] <= EDGE
    shown = browser.find_element("css selector", "ink-canvas canvas.ghost")
    assert shown.is_displayed()
    hand.click("ghost")
    assert not shown.is_displayed()


def test_a_pen_turned_around_erases(browser: Any, studio: Studio) -> None:
    hand = Hand(browser, studio.url)
    hand.write((0.2, 0.5, 0.5), (0.8, 0.5, 0.5))
    # The protocol knows no such button; so the page makes the events, as of the mouse, whose id is 1.
    hand.js("""
      const sheet = ink.querySelector('.sheet'), box = sheet.getBoundingClientRect();
      for (const [name, share] of [['pointerdown', 0.3], ['pointermove', 0.7], ['pointerup', 0.7]])
        sheet.dispatchEvent(new PointerEvent(name, {
          pointerId: 1, pointerType: 'pen', button: 5, buttons: 32, pressure: 0.5,
          clientX: box.x + 0.5 * box.width, clientY: box.y + share * box.height,
        }));""")
    assert [one["erase"] for one in hand.strokes()] == [False, True]


def test_nothing_is_written_over_what_cannot_be_read(browser: Any, studio: Studio) -> None:
    studio.attributes["base"] = "/none.png"
    hand = Hand.__new__(Hand)
    hand.browser = browser
    browser.get(studio.url)
    hand.wait(lambda: hand.status().startswith("Not loaded: "))
    hand.write((0.2, 0.5, 0.5), (0.8, 0.5, 0.5))
    assert hand.strokes() == []


def test_a_palm_does_not_write(browser: Any, studio: Studio) -> None:
    hand = Hand(browser, studio.url)
    hand.write((0.2, 0.2, 0.5), (0.8, 0.2, 0.5), pointer="touch")
    assert len(hand.strokes()) == 1
    hand.write((0.2, 0.5, 0.5), (0.8, 0.5, 0.5), pointer="pen")
    hand.write((0.2, 0.8, 0.5), (0.8, 0.8, 0.5), pointer="touch")
    assert [one["points"][0][1] for one in hand.strokes()] == pytest.approx([0.2, 0.5], abs=0.01)


def test_events_tell_the_ink_and_another_character_takes_its_place(browser: Any, studio: Studio) -> None:
    hand = Hand(browser, studio.url)
    hand.js(
        "window.told = []; for (const name of ['changed', 'saved']) document.addEventListener(name, (event) => told.push([name, event.detail]));"
    )
    hand.write((0.2, 0.5, 0.5), (0.8, 0.5, 0.5))
    hand.save(studio)
    told = hand.js("return told")
    assert [name for name, _ in told] == ["changed", "saved"]
    assert all(ink == json.loads(studio.saved[0]) for _, ink in told)
    hand.write((0.5, 0.2, 0.5), (0.5, 0.8, 0.5))
    studio.saved.clear()
    hand.js("ink.setAttribute('char', '一'); ink.setAttribute('save', '/save?一');")
    hand.wait(lambda: hand.js("return Boolean(ink.history) && ink.ink.char === '一' && !ink.strokes.length"))
    assert (hand.seen() == 255).all()
    hand.js("ink.setAttribute('char', '永'); ink.setAttribute('save', '/save');")
    hand.wait(lambda: hand.js("return ink.history?.length === 2 && ink.strokes.length === 2"))
