"""A studio as a user starts it: a process of its own, a project in a temporary folder."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from fontgan.studio.jobs import Job, Jobs


def kill_job(job: Job) -> None:
    """Ends the processes of a job that runs, as when the power goes."""
    for process in psutil.process_iter():
        try:
            if process.cmdline()[-2:] == ["fontgan.studio.job_process", str(job.folder.resolve())]:
                for each in (process, *process.children(recursive=True)):
                    each.kill()
        except psutil.Error:
            continue  # it ended by itself


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Studio:
    """A running server, asked as a browser asks: with its own origin, unless a test says otherwise."""

    project: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    address: str = ""
    lines: list[str] = field(default_factory=list)

    def start(self) -> None:
        command = [sys.executable, "-m", "fontgan", "studio", str(self.project), "port=0", "open=false", *self.options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr
        line = self.process.stderr.readline()
        assert "http://" in line, line + self.process.stderr.read()
        self.address = line[line.index("http://") :].split()[0]

    def kill(self) -> None:
        """As a crash or a shut laptop does it; its jobs go on."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ctrl-C."""
        assert self.process
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)

    @property
    def netloc(self) -> str:
        return urllib.parse.urlsplit(self.address).netloc

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request with just these headers (``_`` stands for ``-``)."""
        connection = http.client.HTTPConnection(self.netloc, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        found = connection.getresponse()
        return Answer(found.status, {key.lower(): value for key, value in found.getheaders()}, found.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(
        self,
        path: str,
        fields: dict[str, Any] | None = None,
        files: list[tuple[str, bytes]] | None = None,
        **headers: str,
    ) -> Answer:
        """A form, as the studio's own pages send it."""
        edge = uuid.uuid4().hex
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in (fields or {}).items()
        ]
        for name, content in files or []:
            head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
            parts.append(head.encode() + content + b"\r\n")
        body = b"".join(parts) + f"--{edge}--\r\n".encode()
        kind = f"multipart/form-data; boundary={edge}"
        return self.ask("POST", path, body, **{"Origin": f"http://{self.netloc}", "Content_Type": kind, **headers})

    def jobs(self) -> list[dict[str, Any]]:
        """What was asked for, with how it ended, if it did."""
        found = []
        for folder in sorted((self.project / "jobs").glob("[0-9]*")):
            job = json.loads((folder / "job.json").read_text())
            end = folder / "ended.json"
            job["code"] = json.loads(end.read_text())["code"] if end.is_file() else None
            job["ended"] = end.is_file()
            job["log"] = (folder / "log.txt").read_text() if (folder / "log.txt").is_file() else ""
            found.append(job)
        return found

    def wait(self, until: Callable[[], Any] | None = None, seconds: float = 120) -> None:
        """Waits for all jobs to end, or for something else."""
        done = until or (lambda: all(job["ended"] for job in self.jobs()))
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, self.jobs()
            time.sleep(0.2)


@pytest.fixture
def studio(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Studio]:
    one = Studio(tmp_path / "project")
    one.start()
    yield one
    if "browser" in request.fixturenames:
        request.getfixturevalue("browser").get("about:blank")  # or its page would look for the server ever after
    if one.process and one.process.poll() is None:
        one.stop()
    for job in Jobs(one.project).all():  # they outlive the server, and would work on beside the tests that follow
        kill_job(job)
