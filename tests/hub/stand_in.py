"""A stand-in of the Hugging Face Hub: those requests of its HTTP API that huggingface_hub makes to send and fetch models.

Everything is in memory. What can go wrong on the real one is set from outside: ``private``, ``gated``, ``cut``, ``fail``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

TOKEN = "hf_stand_in"
LICENCES = {"ofl-1.1", "apache-2.0", "mit", "cc-by-4.0", "cc0-1.0", "other"}
Files = dict[str, bytes]


@dataclass
class Repo:
    private: bool = False
    gated: bool = False
    branches: dict[str, str] = field(default_factory=dict)  # name -> commit
    commits: dict[str, Files] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def files(self, revision: str = "main") -> Files | None:
        return self.commits.get(self.branches.get(revision, revision))

    def commit(self, files: Files, message: str = "", branch: str = "main") -> str:
        listed = "".join(f"{name} {hashlib.sha1(data).hexdigest()}\n" for name, data in sorted(files.items()))
        sha = hashlib.sha1(f"{branch} {len(self.commits)} {listed}".encode()).hexdigest()
        self.commits[sha], self.branches[branch] = dict(files), sha
        self.messages.append(message)
        return sha


@dataclass
class Hub:
    """What the stand-in holds, and what was asked of it."""

    url: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    stored: Files = field(default_factory=dict)  # large files by their sha256
    asked: list[str] = field(default_factory=list)  # "GET /path"
    cut: set[str] = field(default_factory=set)  # files of which the line breaks in the middle, going up or down
    fail: dict[str, int] = field(default_factory=dict)  # a piece of a path -> the status it is answered with
    claimed: dict[str, int] = field(default_factory=dict)  # file -> the size that is listed for it

    def put(self, name: str, files: Files, **options: Any) -> Repo:
        """A repository as somebody else made it."""
        self.repos[name] = Repo(**options)
        self.repos[name].commit(files)
        return self.repos[name]

    def fetched(self) -> set[str]:
        """The files of which the content was asked for."""
        return {path.rpartition("/")[2] for path in self.asked if re.match(r"GET .*/resolve/", path)}


class _Refusal(Exception):
    def __init__(self, status: int, code: str = "", text: str = ""):
        self.status, self.code, self.text = status, code, text


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        split = urlsplit(self.path)
        path, query = unquote(split.path), parse_qs(split.query)
        self.hub.asked.append(f"{self.command} {path}")
        try:
            for piece, status in self.hub.fail.items():
                if piece in path:
                    raise _Refusal(status)
            if self.command == "PUT":
                self._take_large(path, length)
                return
            body = self.rfile.read(length)
            for pattern, method in _ROUTES:
                if found := re.fullmatch(pattern, f"{self.command} {path}"):
                    method(self, *found.groups(), query=query, body=body)
                    return
            raise _Refusal(404, text="the stand-in does not know this request")
        except _Refusal as refusal:
            headers = {"X-Error-Code": refusal.code} if refusal.code else {}
            self._send(json.dumps({"error": refusal.text}).encode(), refusal.status, **headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def _send(self, data: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _json(self, content: Any) -> None:
        self._send(json.dumps(content).encode())

    @property
    def _known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def _repo(self, name: str, *, writes: bool = False, content: bool = False) -> Repo:
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and not self._known):
            raise _Refusal(404 if self._known else 401, "RepoNotFound", "Repository not found")
        if repo.gated and content and not self._known:
            raise _Refusal(401, "GatedRepo", "Access to it is restricted")
        if writes and not self._known:
            raise _Refusal(401, text="Invalid username or password.")
        return repo

    def _files(self, repo: Repo, revision: str) -> tuple[str, Files]:
        files = repo.files(revision)
        if files is None:
            raise _Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repo.branches.get(revision, revision), files

    def _entry(self, name: str, data: bytes) -> dict[str, Any]:
        size = self.hub.claimed.get(name, len(data))
        found: dict[str, Any] = {"size": size, "blobId": _blob(data), "oid": _blob(data)}
        if _is_large(name):
            sha = hashlib.sha256(data).hexdigest()
            found["lfs"] = {"oid": sha, "sha256": sha, "size": size, "pointerSize": 130}
        return found

    # -- what is asked ------------------------------------------------------------------------

    def create(self, *, query: Any, body: bytes) -> None:
        asked = json.loads(body)
        if not self._known:
            raise _Refusal(401, text="Invalid username or password.")
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        if name.startswith("others/"):
            raise _Refusal(403, text=f"You don't have the rights to create a model under {name}")
        if name in self.hub.repos:
            self._send(
                json.dumps({"error": "You already created this model repo", "url": f"{self.hub.url}/{name}"}).encode(),
                409,
            )
            return
        private = asked.get("private") or asked.get("visibility") == "private"
        self.hub.put(name, {".gitattributes": b""}, private=bool(private))
        self._json({"url": f"{self.hub.url}/{name}"})

    def validate(self, *, query: Any, body: bytes) -> None:
        text = json.loads(body)["content"]
        front = re.match(r"---\n(.*?)\n---\n", text, re.S)
        known = yaml.safe_load(front[1]) if front else {}
        wrong = [] if known.get("license") in LICENCES else [{"message": '"license" must be one of a list'}]
        self._send(json.dumps({"errors": wrong, "warnings": []}).encode(), 400 if wrong else 200)

    def info(self, name: str, revision: str | None = None, *, query: Any, body: bytes) -> None:
        repo = self._repo(name)
        sha, files = self._files(repo, revision or "main")
        siblings = [{"rfilename": file, **self._entry(file, data)} for file, data in files.items()]
        self._json({"id": name, "sha": sha, "private": repo.private, "gated": repo.gated, "siblings": siblings})

    def tree(self, name: str, revision: str, *, query: Any, body: bytes) -> None:
        _, files = self._files(self._repo(name), revision)
        self._json([{"type": "file", "path": file, **self._entry(file, data)} for file, data in files.items()])

    def branch(self, name: str, branch: str, *, query: Any, body: bytes) -> None:
        repo = self._repo(name, writes=True)
        if branch in repo.branches:
            raise _Refusal(409, text="Reference already exists")
        repo.branches[branch] = repo.branches["main"]
        self._json({})

    def preupload(self, name: str, revision: str, *, query: Any, body: bytes) -> None:
        self._repo(name, writes=True)
        files = [file["path"] for file in json.loads(body)["files"]]
        modes = {file: "lfs" if _is_large(file) else "regular" for file in files}
        self._json({"files": [{"path": f, "uploadMode": mode, "shouldIgnore": False} for f, mode in modes.items()]})

    def batch(self, name: str, *, query: Any, body: bytes) -> None:
        self._repo(name, writes=True)
        objects = []
        for asked in json.loads(body)["objects"]:
            found = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.hub.stored:
                found["actions"] = {"upload": {"href": f"{self.hub.url}/large/{asked['oid']}", "header": {}}}
            objects.append(found)
        self._send(json.dumps({"transfer": "basic", "objects": objects}).encode())

    def _take_large(self, path: str, length: int) -> None:
        if self.hub.cut:
            self.rfile.read(length // 2)
            self.close_connection = True
            self.connection.close()
            return
        data = self.rfile.read(length)
        if hashlib.sha256(data).hexdigest() != path.rpartition("/")[2]:
            raise _Refusal(400, text="the checksum does not fit")
        self.hub.stored[path.rpartition("/")[2]] = data
        self._send(b"")

    def commit(self, name: str, revision: str, *, query: Any, body: bytes) -> None:
        repo = self._repo(name, writes=True)
        _, files = self._files(repo, revision)
        files, message = dict(files), ""
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                message = value["summary"]
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        sha = repo.commit(files, message, revision)
        self._json({"commitUrl": f"{self.hub.url}/{name}/commit/{sha}", "commitOid": sha, "pullRequestUrl": None})

    def resolve(self, name: str, revision: str, file: str, *, query: Any, body: bytes) -> None:
        sha, files = self._files(self._repo(name, content=True), revision)
        if file not in files:
            raise _Refusal(404, "EntryNotFound", "Entry not found")
        data = files[file]
        tag = hashlib.sha256(data).hexdigest() if _is_large(file) else _blob(data)
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        if _is_large(file):
            headers |= {"X-Linked-ETag": f'"{tag}"', "X-Linked-Size": str(len(data))}
        start = int((re.match(r"bytes=(\d+)-", self.headers.get("Range", "")) or ["", "0"])[1])
        if file in self.hub.cut and self.command == "GET":
            self.send_response(206 if start else 200)
            for key, value in {"Content-Length": str(len(data) - start), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data[start : len(data) // 2])
            self.close_connection = True
            return
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._send(data[start:], 206 if start else 200, "application/octet-stream", **headers)


_NAME = r"([\w.-]+/[\w.-]+)"
_ROUTES: list[tuple[str, Any]] = [
    (r"POST /api/repos/create", _Handler.create),
    (r"POST /api/validate-yaml", _Handler.validate),
    (rf"GET /api/models/{_NAME}", _Handler.info),
    (rf"GET /api/models/{_NAME}/revision/(.+)", _Handler.info),
    (rf"GET /api/models/{_NAME}/tree/([^/]+)/?", _Handler.tree),
    (rf"POST /api/models/{_NAME}/branch/(.+)", _Handler.branch),
    (rf"POST /api/models/{_NAME}/preupload/(.+)", _Handler.preupload),
    (rf"POST /api/models/{_NAME}/commit/(.+)", _Handler.commit),
    (rf"POST /{_NAME}\.git/info/lfs/objects/batch", _Handler.batch),
    (rf"(?:GET|HEAD) /{_NAME}/resolve/([^/]+)/(.+)", _Handler.resolve),
]


def _blob(data: bytes) -> str:
    """As git calls a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".png", ".bin", ".pkl"))


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serves it on a free port of this machine, until the end."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
