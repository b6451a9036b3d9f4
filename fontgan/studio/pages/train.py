"""Step 3, train: what to expect, one button, and what the training shows while it runs."""

import json
from functools import cache
from threading import Lock
from typing import Any

from starlette.responses import Response

from fontgan.config.help import Section, sections
from fontgan.errors import DataError
from fontgan.loggers.lines import MAX_LINE_BYTES
from fontgan.studio import commands, words
from fontgan.studio.app import Answer, Visit
from fontgan.studio.pages.start import MAX_TEXT
from fontgan.studio.plot import Scores, plot
from fontgan.untrusted.plain_json import MAX_BYTES

# Settings that a page of the studio has a place for, or that its files depend on.
ELSEWHERE = {
    "target", "source", "charset", "out", "work", "proof", "family", "confirm_ownership", "doubtful", "expect", "run", "style",
    "formats", *words.CREDITS,
}  # fmt: skip
_ONE_AT_A_TIME = Lock()  # Hydra composes for one thread at a time


def show(visit: Visit) -> Response:
    run, scores = visit.project.work / "run", read_scores(visit)
    sheet = run / "sheet.png"
    drawn = sorted((visit.project.folder / "text").glob("U+*.png")) if visit.project.chosen.text else []
    return visit.page(
        "train",
        expected=expected_of(visit),
        last=visit.jobs.last("complete"),
        sheet=visit.project.relative(sheet) if sheet.is_file() else None,
        sheet_at=int(sheet.stat().st_mtime) if sheet.is_file() else 0,
        plot=plot(scores, visit.say),
        has_checkpoint=any((run / "checkpoints").glob("step-*")),
        drawn={file.stem: int(file.stat().st_mtime) for file in drawn},
        settings=[section for section in settings_of() if section.rows],
    )


def expected_of(visit: Visit) -> dict[str, Any] | None:
    """What ``fontgan complete expect=`` told, if it was asked of the same typeface, source and characters."""
    asked, now = visit.jobs.last("expect"), commands.complete(visit.project)
    same = [word for word in now if word.startswith(("target=", "source=", "charset="))]
    if asked is None or asked.state != "done" or not set(same) <= set(asked.command):
        return None
    return visit.project.read("expected.json")


def read_scores(visit: Visit) -> Scores:
    file = visit.project.work / "run" / "metrics.jsonl"
    found = Scores([], {})
    if not file.is_file() or file.stat().st_size > MAX_BYTES:
        return found
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if len(line) > MAX_LINE_BYTES:
            continue
        try:
            entry = json.loads(line)
            (scores,) = list(entry["styles"].values())[-1:]
            kind = str(entry["kind"])
            if kind.startswith("baseline/"):
                found.baselines[kind.removeprefix("baseline/")] = scores
            elif kind == "held_out":
                found.steps.append((int(entry["step"]), scores))
        except (ValueError, KeyError, TypeError):
            continue  # the last line while it is being written
    return found


def settings_of() -> list[Section]:
    """Every setting of ``fontgan complete`` with its meaning, as ``--help`` lists them."""
    with _ONE_AT_A_TIME:
        return _settings()


@cache
def _settings() -> list[Section]:
    found = sections("complete", [])
    return [section._replace(rows=[row for row in section.rows if row.key not in ELSEWHERE]) for section in found]


def begin(visit: Visit) -> Response:
    """Starts ``fontgan complete``, from the training to the font."""
    if not visit.project.begun:
        raise DataError("There is nothing to complete yet. Drop a font, or begin with a hand.")
    defaults = {row.key: row.value for section in settings_of() for row in section.rows if row.value is not None}
    given = {
        key.removeprefix("set:"): str(value).strip() for key, value in visit.form.items() if key.startswith("set:")
    }
    if unknown := sorted(set(given) - set(defaults)):
        raise DataError(f"{unknown[0]}: is no setting of fontgan complete.")
    changed = {key: value for key, value in given.items() if value and value != defaults[key]}
    project = visit.project.choose(settings=changed) if given else visit.project
    visit.ask(commands.complete(project.begin_round()))
    return visit.back("/train")


def draw(visit: Visit) -> Response:
    """Draws the user's own text with what the training has reached."""
    text = " ".join(str(visit.form.get("text", "")).split())[:MAX_TEXT]
    if not text:
        raise DataError("text: is empty. Write some characters to draw.")
    visit.ask(commands.draw_text(visit.project.choose(text=text)))
    return visit.to("/train#text")


ROUTES: list[tuple[str, Answer, str]] = [
    ("/train", show, "GET"),
    ("/train/begin", begin, "POST"),
    ("/train/draw", draw, "POST"),
]
