"""Who may ask the studio for anything, and what it gives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.studio.conftest import Studio

DROP = "/start/hand"
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


def test_only_its_own_pages_may_ask_for_anything(studio: Studio) -> None:
    own = f"http://{studio.netloc}"
    body = b"charset=gb2312-1"
    assert studio.ask("POST", DROP, body, Origin="http://elsewhere.example", **FORM).status == 403
    assert studio.ask("POST", DROP, body, Origin="null", **FORM).status == 403
    assert studio.ask("POST", DROP, body, Origin=own.replace("http", "https"), **FORM).status == 403
    assert studio.ask("POST", DROP, body, **FORM).status == 403, "no browser leaves the origin of a form out"
    assert not studio.jobs()
    assert studio.ask("POST", DROP, body, Origin=own, **FORM).status == 303
    assert studio.jobs()


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "elsewhere.example:80", ""])
def test_a_foreign_name_that_leads_here_is_refused(studio: Studio, host: str) -> None:
    assert studio.get("/", Host=host).status == 403


def test_no_other_page_can_take_anything_of_it_in(studio: Studio) -> None:
    for mode in ("no-cors", "cors"):
        assert studio.get("/static/studio.css", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode=mode).status == 403
    assert studio.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200  # a link to it
    policy = studio.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "in/../../secret.txt",
        "/etc/passwd",
        "..%5csecret.txt",
        "link/secret.txt",
        ".hidden.txt",
        "jobs/../.hidden.txt",
        "no%00thing.txt",
        "x" * 3000 + ".txt",
    ],
)
def test_no_path_leads_out_of_the_project(studio: Studio, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    studio.post(DROP, {"charset": "ascii"})
    (studio.project / ".hidden.txt").write_text("secret")
    (studio.project / "link").symlink_to(tmp_path)
    answer = studio.get(f"/file/{path}")
    assert answer.status == 404
    assert b"secret" not in answer.body


def test_only_kinds_of_files_that_pages_need_are_sent(studio: Studio) -> None:
    studio.post(DROP, {"charset": "ascii"})
    (studio.project / "one.png").write_bytes(b"x")
    (studio.project / "one.svg").write_bytes(b"<svg onload='alert(1)'/>")
    assert studio.get("/file/one.png").headers["x-content-type-options"] == "nosniff"
    assert studio.get("/file/one.svg").status == 404
    assert studio.get("/file/in").status == 404


def test_where_others_can_reach_it_a_token_is_needed(tmp_path: Path) -> None:
    open_to_all = Studio(tmp_path / "project", options=("host=0.0.0.0",))
    open_to_all.start()
    try:
        own = {"Host": open_to_all.netloc}
        assert open_to_all.get("/", **own).status == 401
        assert open_to_all.get("/?token=wrong", **own).status == 401
        token = open_to_all.address.partition("?token=")[2]
        assert len(token) > 20
        answer = open_to_all.get(f"/?token={token}", **own)
        assert answer.status == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert open_to_all.get("/", Cookie=cookie.partition(";")[0], **own).status == 200
    finally:
        open_to_all.stop()


def test_one_studio_a_project(studio: Studio, tmp_path: Path) -> None:
    from tests.helpers import error_line, fontgan

    told = error_line(fontgan("studio", str(studio.project), "port=0", "open=false"))
    assert "another fontgan studio is at work there" in told


def test_a_taken_port_and_a_folder_of_something_else_are_told_in_a_line(studio: Studio, tmp_path: Path) -> None:
    from tests.helpers import error_line, fontgan

    port = studio.netloc.rpartition(":")[2]
    assert "cannot be listened on" in error_line(fontgan("studio", str(tmp_path / "b"), f"port={port}", "open=false"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert "holds other files (letter.txt)" in error_line(fontgan("studio", str(tmp_path / "mine"), "open=false"))
    assert os.listdir(tmp_path / "mine") == ["letter.txt"]


def test_what_is_sent_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio
    from typing import Any

    from fontgan.studio import guard
    from fontgan.studio.app import make_app

    monkeypatch.setattr(guard, "MAX_BODY", 10_000)
    headers = {"host": "127.0.0.1", "origin": "http://127.0.0.1", "content-type": "multipart/form-data; boundary=x"}
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": "/start/drop", "raw_path": b"/start/drop", "query_string": b"",
        "headers": [(key.encode(), value.encode()) for key, value in headers.items()],
        "http_version": "1.1", "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
    }  # fmt: skip

    def sent(size: int) -> int:
        """The status that a dropped file of that size is answered with."""
        head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.ttf"\r\n\r\n'
        parts = [head, *[b"\0" * 1000] * (size // 1000), b"\r\n--x--\r\n"]
        statuses = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": parts.pop(0) if parts else b"", "more_body": len(parts) > 0}

        async def send(message: Any) -> None:
            statuses.append(message.get("status"))

        asyncio.run(make_app(tmp_path / "project", hosts=guard.LOOPBACK)(scope, receive, send))
        return int(statuses[0])

    assert sent(5_000) == 303
    assert sent(20_000) == 413
    assert len(list((tmp_path / "project" / "in").iterdir())) == 1, "nothing of the larger one is left"


def test_in_a_container_the_address_of_the_published_port_is_printed_and_works(tmp_path: Path) -> None:
    """As the Dockerfile starts it: all addresses, and a name that is not one of the machine's own."""
    inside = Studio(tmp_path / "project", options=("host=0.0.0.0", "shown_host=localhost"))
    inside.start()
    try:
        assert inside.address.startswith("http://localhost:")
        entered = inside.get(f"/?token={inside.address.partition('?token=')[2]}", Host="localhost:9000")
        cookie = entered.headers["set-cookie"].partition(";")[0]
        outside = {"Host": "localhost:9000", "Cookie": cookie}  # published as another port than the studio's own
        assert inside.get("/", **outside).status == 200
        assert inside.post(DROP, {"charset": "ascii"}, Origin="http://localhost:9000", **outside).status < 400
        assert inside.post(DROP, {"charset": "ascii"}, Origin="http://elsewhere.example", **outside).status == 403
    finally:
        inside.stop()
