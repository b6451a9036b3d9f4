"""The commands that the studio ran: a list, and the log of each; stop one, or go on with it."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from fontgan.studio.app import Answer, Visit
from fontgan.studio.jobs import Job


def listed(visit: Visit) -> Response:
    return visit.page("commands")


def shown(visit: Visit) -> Response:
    return visit.page("command", job=asked(visit))


def stop(visit: Visit) -> Response:
    visit.jobs.stop(asked(visit))
    return visit.back("/commands")


def again(visit: Visit) -> Response:
    """The same command once more: fontgan goes on where it was stopped."""
    visit.ask(asked(visit).command)
    return visit.back("/commands")


def asked(visit: Visit) -> Job:
    """The job that the address names."""
    job = visit.jobs.get(int(visit.request.path_params["number"]))
    if job is None:
        raise HTTPException(404, "There is no such command.")
    return job


ROUTES: list[tuple[str, Answer, str]] = [
    ("/commands", listed, "GET"),
    ("/commands/{number:int}", shown, "GET"),
    ("/commands/{number:int}/stop", stop, "POST"),
    ("/commands/{number:int}/again", again, "POST"),
]
