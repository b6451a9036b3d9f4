"""What was chosen in a project -> the words of a command, to be run in the project's folder."""

from fontgan.config.overrides import quoted
from fontgan.studio.hand_folder import glyphs_of
from fontgan.studio.project import Project


def coverage(project: Project) -> list[str]:
    return ["coverage", f"font={project.chosen.target}", "out=coverage.json", "overwrite=true"]


def preview(project: Project) -> list[str]:
    text = [f"text={quoted(project.chosen.text)}"] if project.chosen.text else []
    out = ["out=preview.png", "overwrite=true"]
    return ["preview", f"target={project.chosen.target}", *source(project), *text, *out]


def expect(project: Project) -> list[str]:
    return [*complete(project), "expect=expected.json"]


def complete(project: Project) -> list[str]:
    chosen = project.chosen
    words = ["complete", f"target={chosen.target}", *source(project)]
    if chosen.charset:
        words.append(f"charset={chosen.charset}")
    words += [
        f"out={project.font}",
        f"work={project.relative(project.work)}",
        f"proof={project.relative(project.proof)}",
    ]
    if chosen.family:
        words.append(f"family={quoted(chosen.family)}")
    words += [f"{key}={quoted(value)}" for key, value in chosen.credits.items()]
    if chosen.owned:
        words.append("confirm_ownership=true")
    if chosen.doubtful != "keep":
        words.append(f"doubtful={chosen.doubtful}")
    if chosen.formats:
        words.append(f"formats=[{','.join(chosen.formats)}]")
    return [*words, *(f"{key}={value}" for key, value in chosen.settings.items())]


def draw_text(project: Project) -> list[str]:
    """The user's own text as the training draws it now."""
    return [*draw_with(project.relative(project.work / "run"), project.chosen.text, "text"), "which=last"]


def draw_with(checkpoint: str, text: str, out: str) -> list[str]:
    """A text drawn with a run or one of its checkpoints."""
    return [
        "infer",
        f"checkpoint={checkpoint}",
        f"text={quoted(text)}",
        f"out={out}",
        "overwrite=true",
        "allow=[lacking]",
    ]


def advise(project: Project, n: int) -> list[str]:
    """What to draw next."""
    drawn = project.begun and (not project.from_images or glyphs_of(project.folder / project.chosen.target))
    target = [f"target={project.chosen.target}"] if drawn else []
    what = [f"charset={project.chosen.charset or 'gb2312-1'}", f"n={n}", "out=next.txt", "overwrite=true"]
    return ["advise", *target, f"source={first_source(project)}", *what]


def template(project: Project, chars: str, paper: str, *, ghost: bool) -> list[str]:
    drawn = ["ghost=true"] if ghost else []
    return ["template", f"chars={quoted(chars)}", f"paper={paper}", *drawn, "out=sheets.pdf", "overwrite=true"]


def scan() -> list[str]:
    return ["scan", "pages=in/pages", "out=hand", "cells=hand-cells"]


def source(project: Project) -> list[str]:
    sources = project.chosen.sources
    if not sources:
        return []
    return [f"source={sources[0] if len(sources) == 1 else '[' + ','.join(sources) + ']'}"]


def first_source(project: Project) -> str:
    """The one that is chosen, or that fontgan chooses by itself."""
    found = project.read("coverage.json") or {}
    return project.chosen.sources[0] if project.chosen.sources else str(found.get("source", "shelf:sans"))
