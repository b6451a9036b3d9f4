"""What a page of 6,763 characters costs in NiceGUI and in plain templates: ``python scripts/studio_frameworks.py``.

The figures of docs/research/studio.md. Needs nicegui (not a dependency), chromium and chromedriver.
"""

import json
import shutil
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from fontgan.cli import not_installed

try:
    from selenium import webdriver
except ModuleNotFoundError as error:
    sys.exit(f"{Path(__file__).name}: {not_installed(error)}")

TIMES, CHARACTERS = 5, 6763
PROGRAMS = {
    "NiceGUI": f"""
from nicegui import ui
@ui.page("/")
def index():
    with ui.row():
        for code in range({CHARACTERS}):
            ui.button(chr(0x4E00 + code))
ui.run(port=PORT, show=False, reload=False)
""",
    "Starlette and Jinja": f"""
import jinja2, uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route
chars = [chr(0x4E00 + code) for code in range({CHARACTERS})]
page = jinja2.Template("<!doctype html><meta charset=utf-8>{{% for char in chars %}}<button>{{{{ char }}}}</button>{{% endfor %}}")
async def index(request):
    return HTMLResponse(page.render(chars=chars))
uvicorn.run(Starlette(routes=[Route("/", index)]), port=PORT, log_level="warning")
""",
}


def main() -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver") or ""))
    for port, (name, program) in enumerate(PROGRAMS.items(), 8123):
        measure(browser, name, program.replace("PORT", str(port)), f"http://127.0.0.1:{port}/")
    browser.quit()


def measure(browser: Any, name: str, program: str, address: str) -> None:
    began = time.monotonic()
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL)
    try:
        while not answers(address):
            time.sleep(0.05)
        up = time.monotonic() - began
        times = []
        for _ in range(TIMES):
            browser.get("about:blank")
            browser.get_log("performance")
            began = time.monotonic()
            browser.get(address)
            while browser.execute_script("return document.querySelectorAll('button').length") < CHARACTERS:
                time.sleep(0.02)
            times.append(time.monotonic() - began)
        events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        urls = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        outside = [url for url in urls if not url.startswith((address, "data:", "blob:", "about:"))]
        memory = subprocess.run(["ps", "-o", "rss=", "-p", str(server.pid)], capture_output=True, text=True, check=True)
        print(
            f"{name}: first answer {up:.2f} s, page {statistics.median(times):.2f} s, "
            f"memory {int(memory.stdout) / 1024:.0f} MB, requests elsewhere {len(outside)}"
        )
    finally:
        server.kill()


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=60).read()
        return True
    except urllib.error.URLError:
        return False


if __name__ == "__main__":
    main()
