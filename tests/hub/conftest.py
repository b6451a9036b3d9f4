"""The stand-in of the hub, empty for each test, with a cache of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.stand_in import TOKEN, Hub, serving


@pytest.fixture(scope="session")
def hub_server() -> Iterator[Hub]:
    """huggingface_hub reads where the hub is when it is imported."""
    with pytest.MonkeyPatch.context() as patch, serving(Hub()) as hub:
        for name in [name for name in sys.modules if name.partition(".")[0] == "huggingface_hub"]:
            patch.delitem(sys.modules, name)
        for key in [key for key in os.environ if key.startswith(("HF_", "HUGGING_FACE_"))]:
            patch.delenv(key)
        patch.setenv("HF_ENDPOINT", hub.url)
        patch.setenv(
            "HF_HUB_DISABLE_XET", "1"
        )  # the real one's large files go by another protocol, which needs its servers
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        yield hub


@pytest.fixture
def hub(hub_server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Asked by somebody who may write in ``me/``."""
    for part in (hub_server.repos, hub_server.stored, hub_server.asked, hub_server.cut, hub_server.fail):
        part.clear()
    hub_server.claimed.clear()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    from huggingface_hub import constants

    from fontgan.hub.pull import pull

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    pull.cache_clear()
    yield hub_server
    pull.cache_clear()
