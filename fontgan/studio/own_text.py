"""The user's own text, drawn anew by itself after each save of the training."""

import time

from fontgan.studio import commands
from fontgan.studio.jobs import Jobs
from fontgan.studio.project import Project

AT_MOST_EVERY_S = 120  # drawing starts a process beside the training, which is slower for some seconds


def draw_again(project: Project, jobs: Jobs) -> None:
    """Asks for the text, where the training has saved since it was drawn last.

    What could not be drawn is not tried again until it is asked for on the page, or another text is.
    """
    saved = [folder.stat().st_mtime for folder in (project.work / "run" / "checkpoints").glob("step-*")]
    if not project.chosen.text or not saved:
        return
    command = commands.draw_text(project)
    last = jobs.last("infer", *(word for word in command if word.startswith(("text=", "out="))))
    if last is None:
        jobs.ask(command)
        return
    asked = last.asked.timestamp()
    if last.state in ("done", "cut off") and max(saved) > asked and time.time() > asked + AT_MOST_EVERY_S:
        jobs.ask(command)
