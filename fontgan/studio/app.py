"""The pages of the studio as one ASGI application."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fontgan import __version__
from fontgan.data.image_source import name_from_char
from fontgan.errors import UserError
from fontgan.report.html import TEMPLATES as REPORT_FILES
from fontgan.report.html import decimal
from fontgan.studio import words
from fontgan.studio.guard import Guard
from fontgan.studio.jobs import Job, Jobs
from fontgan.studio.progress import progress_of
from fontgan.studio.project import Project, open_project
from fontgan.studio.texts import NAMES, Texts, choose_language, texts

HERE = Path(__file__).parent
SHELF = HERE.parent / "assets" / "shelf"  # for browsers that have no font of their own for a character
MAX_FIELDS = 2000  # of a form: every setting of fontgan complete, several times over
LANGUAGE = "fontgan-language"
NO_GOOD = ("failed", "stopped", "cut off")


@dataclass(frozen=True)
class Visit:
    """One request: what a page may ask for, and how it answers."""

    request: Request
    project: Project
    jobs: Jobs
    form: FormData
    body: bytes = b""  # of a request that sends JSON

    @property
    def texts(self) -> Texts:
        asked = self.request.headers.get("accept-language", "")
        return texts(choose_language(asked, self.request.cookies.get(LANGUAGE, "")))

    @property
    def live(self) -> bool:
        """Whether the page asks for itself again, to see what has changed, and has no use for what does not."""
        return "x-live" in self.request.headers

    def say(self, message: str, **values: Any) -> str:
        """A text in the visitor's language."""
        return self.texts.gettext(message) % values if values else self.texts.gettext(message)

    def field(self, name: str, default: str = "") -> str:
        """A field of the form, as one line."""
        value = self.form.get(name, default)
        return " ".join(value.split()) if isinstance(value, str) else default

    def page(self, template: str, **content: Any) -> Response:
        """Fills a template."""
        return HTMLResponse(self.render(template, **content))

    def render(self, template: str, **content: Any) -> str:
        jobs = self.jobs.all()
        shared = {
            "project": self.project,
            "chosen": self.project.chosen,
            "jobs": jobs,
            "running": [job for job in jobs if job.state == "running"],
            "waiting": [job for job in jobs if job.state == "waiting"],
            "trouble": in_trouble(jobs),
            "live": self.live,
            "path": self.request.url.path,
            "language": self.texts.language,
            "tag": self.texts.tag,
            "ink_texts": self.texts_of_ink,
        }
        return environment(self.texts.language).get_template(f"{template}.html.j2").render(shared | content)

    def ask(self, command: list[str]) -> None:
        """Puts a command into the project's queue."""
        self.jobs.ask(command)

    def to(self, path: str) -> Response:
        """Goes on to a page, once something was done."""
        return RedirectResponse(path, status_code=303)

    def back(self, default: str) -> Response:
        """Goes back to the page of the studio that a form names."""
        path = self.field("back")
        return self.to(path if path.startswith("/") and not path.startswith("//") else default)

    def refuse(self, why: str) -> Response:
        """Says in a page of its own what could not be done."""
        back = urlsplit(self.request.headers.get("referer", "")).path or "/"
        return HTMLResponse(self.render("refused", why=why, back=back), status_code=400)

    @property
    def texts_of_ink(self) -> str:
        """The texts of the drawing canvas, as its attribute takes them."""
        return json.dumps({key: self.say(text) for key, text in words.INK.items()}, ensure_ascii=False)


Answer = Callable[[Visit], Response]


def in_trouble(jobs: list[Job]) -> list[Job]:
    """The last job of each kind, where it came to no good end; of these the last alone."""
    last = {job.does: job for job in jobs}
    return sorted((job for job in last.values() if job.state in NO_GOOD), key=lambda job: job.number)[-1:]


@cache
def environment(language: str) -> Environment:
    """Templates in a language; every text in them is escaped."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, extensions=["jinja2.ext.i18n"],
    )  # fmt: skip
    said = texts(language)
    made.install_gettext_callables(said.gettext, said.ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.filters["spaced"] = decimal
    made.globals |= {"version": __version__, "languages": NAMES, "progress_of": progress_of, "name_of": name_from_char}
    made.globals |= {name.lower(): value for name, value in vars(words).items() if name.isupper()}
    return made


def make_app(folder: Path, *, hosts: tuple[str, ...], token: str = "", lifespan: Any = None) -> Starlette:
    """The studio of one project.

    Args:
        folder: the project's.
        hosts, token: see ``guard.Guard``.
    """
    from fontgan.studio import pages

    jobs = Jobs(folder)

    def route(path: str, answer: Answer, method: str = "GET") -> Route:
        async def endpoint(request: Request) -> Response:
            sends_json = request.headers.get("content-type", "").startswith("application/json")
            body = await request.body() if sends_json else b""
            form = await request.form(max_files=pages.MAX_FILES, max_fields=MAX_FIELDS)
            try:
                project = open_project(folder)
            except UserError as error:  # it was damaged since the studio was started
                return PlainTextResponse(f"{error}\n", status_code=500)
            if method == "POST" and not project.stands:
                project = project.choose()  # before anything else is written, so that the folder is known as a project
            visit = Visit(request, project, jobs, form, body)
            try:
                return await run_in_threadpool(answer, visit)
            except UserError as error:
                return visit.refuse(str(error))
            finally:
                await form.close()

        return Route(path, endpoint, methods=[method])

    routes = [
        *(route(path, answer, method) for path, answer, method in pages.routes()),
        Mount("/static/report", StaticFiles(directory=REPORT_FILES)),
        Mount("/static/shelf", StaticFiles(directory=SHELF)),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: say_plainly})
    app.add_middleware(Guard, hosts=hosts, token=token)
    return app


async def say_plainly(request: Request, error: Exception) -> Response:
    """What is not there, or was sent wrongly, in a line."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    told = error.detail if isinstance(error, HTTPException) else str(error)
    return PlainTextResponse(f"{told}\n", status_code=status)
