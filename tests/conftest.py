"""Fixtures: a cache of their own, the command line in this process, a short real training, a browser."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers import (
    TINY,
    Here,
    error_line,
    fontgan_here,
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the cases of a test marked ``thinned(n)``, all but every n-th are slow."""
    cases: Counter[str] = Counter()
    for item in items:
        if mark := item.get_closest_marker("thinned"):
            test = item.nodeid.partition("[")[0]
            if cases[test] % mark.args[0]:
                item.add_marker("slow")
            cases[test] += 1


@pytest.fixture(scope="session", autouse=True)
def one_shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packs of all tests in one temporary cache; two threads in all, as the machine that CI runs on has."""
    cache = tmp_path_factory.mktemp("cache")
    os.environ["FONTGAN_CACHE"] = str(cache)
    threads = max(1, 2 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    os.environ["OMP_NUM_THREADS"] = str(threads)  # of the commands that tests start
    torch.set_num_threads(threads)
    return cache


@pytest.fixture
def here() -> Here:
    """Runs a command in this process."""
    return fontgan_here


@pytest.fixture
def refused(here: Here) -> Callable[..., str]:
    """Runs a command that must fail, in this process, and gives its one line of error."""
    return lambda *arguments: error_line(here(*arguments))


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """By the commands that tests start as well: a shell starts what is in the background deaf to it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of four steps on the bundled fonts."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    result = fontgan_here("train", *TINY, f"out={out}")
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser without a window, which notes what it fetches and complains of."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium and chromium-driver are not installed (apt install chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()
