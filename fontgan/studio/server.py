"""Starts the studio, and the commands that wait."""

import asyncio
import contextlib
import logging
import secrets
import socket
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from fontgan.errors import ConfigError, RunError
from fontgan.runtime.locks import locked
from fontgan.studio.app import make_app
from fontgan.studio.guard import LOOPBACK
from fontgan.studio.jobs import Jobs
from fontgan.studio.own_text import draw_again
from fontgan.studio.project import open_project

log = logging.getLogger(__name__)

EVERYWHERE = ("0.0.0.0", "[::]")  # all addresses of the machine
LOOK_EVERY_S = 0.5  # whether a job has ended, so that the next can begin


def serve(folder: Path, *, host: str, port: int, opens: bool, shown_host: str | None = None) -> None:
    """Serves a project until Ctrl-C; its commands go on.

    Args:
        host: address to listen on; all but loopback ones need a token.
        port: 0 takes a free one.
        shown_host: the name by which it is reached, where that is another than ``host``.
        opens: whether to open the browser.
    Raises: RunError if another studio serves the project; ConfigError if the address is taken.
    """
    open_project(folder)
    folder.mkdir(parents=True, exist_ok=True)
    local = host in LOOPBACK
    token = "" if local else secrets.token_urlsafe(16)
    with locked(folder, "another fontgan studio"):
        jobs = Jobs(folder)

        async def start_waiting() -> None:
            while True:
                await asyncio.to_thread(look_after, folder, jobs)
                await asyncio.sleep(LOOK_EVERY_S)

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            starting = asyncio.create_task(start_waiting())
            yield
            starting.cancel()

        app = make_app(folder, hosts=LOOPBACK if local else (), token=token, lifespan=lifespan)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
        listening = listen(host, port)
        name = shown_host or (own_address() if host in EVERYWHERE else host)
        address = f"http://{name}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else "")
        log.info("the studio of %s: %s (Ctrl-C closes it; what it has begun goes on)", folder, address)
        if opens:
            webbrowser.open(address)
        server.run(sockets=[listening])


def look_after(folder: Path, jobs: Jobs) -> None:
    """Starts what waits, and asks for what follows of itself."""
    jobs.start_next()
    with contextlib.suppress(RunError):  # every page says that project.json cannot be read
        draw_again(open_project(folder), jobs)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises: ConfigError if there is none to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host.strip("[]"), port))
        listening.listen()  # who opens the address at once waits, and is not refused
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"host={host} port={port}: cannot be listened on ({error.strerror}). Name another port, or port=0 for a free one."
        ) from error
    return listening


def own_address() -> str:
    """The address under which others on the network reach this machine; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # an address for documentation: only the way to it is chosen
            return str(asking.getsockname()[0])
        except OSError:
            return LOOPBACK[0]  # without a network
