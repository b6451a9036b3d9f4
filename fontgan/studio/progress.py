"""How far a job is, from the last lines that it wrote."""

import re
from dataclasses import dataclass

# What tqdm writes where there is no terminal: "training:  12%  96/800 [00:31<03:47,  3.10step/s, ...]".
_BAR = re.compile(
    r"(?P<what>[\w ]+):\s+(?P<share>\d+)%[^\[]*?(?P<done>\d+)/(?P<of>\d+) \[(?P<took>[\d:]+)<(?P<left>[\d:?]+)"
)
_STAGE = re.compile(r"^(?P<number>\d) of (?P<of>\d): (?P<what>.+)")


@dataclass(frozen=True)
class Progress:
    """Args:
    stage: which part is done now, and of how many; 0 of 0 where there are none.
    what: in words.
    share: of what is counted, 0 to 1; None where nothing is.
    left: time as ``m:ss``, empty where it is not known.
    """

    stage: int = 0
    of: int = 0
    what: str = ""
    share: float | None = None
    left: str = ""


def progress_of(log: str) -> Progress:
    stage, found = Progress(), Progress()
    for line in log.splitlines():
        if match := _STAGE.search(line):
            stage = found = Progress(int(match["number"]), int(match["of"]), match["what"])
        elif match := _BAR.search(line):
            left = "" if "?" in match["left"] else match["left"].removeprefix("0")
            found = Progress(stage.stage, stage.of, match["what"].strip(), int(match["share"]) / 100, left)
    return found
