"""The user's own text, drawn anew by itself after each save of the training."""

from datetime import UTC, datetime

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
    last = jobs.last("infer", *command[2:4])  # of this text, wherever it is drawn
    if last is None:
        jobs.ask(command)
        return
    since = max(saved) - datetime.fromisoformat(last.asked).timestamp()
    waited = datetime.now(UTC).timestamp() - datetime.fromisoformat(last.asked).timestamp()
    if last.state in ("done", "cut off") and since > 0 and waited > AT_MOST_EVERY_S:
        jobs.ask(command)
