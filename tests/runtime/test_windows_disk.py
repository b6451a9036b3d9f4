"""The main work on a disk as Windows has it: NTFS, where capitals do not count and Windows' names are refused.

A real one, in a file mounted by lowntfs-3g; skipped where the system has no such driver or does not let us mount.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from fontgan.training.checkpoint import all_checkpoints, find
from tests.complete.test_complete import HAS, LACKS, complete, part_of
from tests.helpers import BRUSH, KAI, SOURCE, TINY, Here, fontgan_here

pytestmark = pytest.mark.slow
MEGABYTES = 512
OPTIONS = "ignore_case,windows_names,norecover"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("windows")
    image, mounted = folder / "disk.img", folder / "disk"
    mounted.mkdir()
    lacking = [
        tool
        for tool in ("mkfs.ntfs", "lowntfs-3g", "umount")
        if not shutil.which(tool, path=f"{os.environ['PATH']}:/sbin:/usr/sbin")
    ]
    if lacking:
        pytest.skip(f"{', '.join(lacking)}: not installed (apt install ntfs-3g)")
    with image.open("wb") as file:
        file.truncate(MEGABYTES << 20)
    for command in (
        ["mkfs.ntfs", "-F", "-Q", str(image)],
        ["lowntfs-3g", str(image), str(mounted), "-o", OPTIONS],
    ):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PATH": f"{os.environ['PATH']}:/sbin:/usr/sbin"},
        )
        if done.returncode:
            pytest.skip(f"{command[0]}: may not be done here ({done.stderr.strip().splitlines()[-1:]})")
    yield mounted
    gc.collect()  # packs that nobody uses any more hold files open
    subprocess.run(["umount", str(mounted)], check=True)


@pytest.fixture(scope="module")
def cache(disk: Path) -> Iterator[Path]:
    """The cache there too."""
    before = os.environ["FONTGAN_CACHE"]
    os.environ["FONTGAN_CACHE"] = str(disk / "cache")
    yield disk / "cache"
    os.environ["FONTGAN_CACHE"] = before


@pytest.fixture(scope="module", autouse=True)
def copying() -> Iterator[None]:
    """A network that draws what it reads, since four steps of training draw nothing but grey."""

    def copy(_: Any, batches: Iterator[Any], *__: Any, **___: Any) -> Iterator[Any]:
        yield from ((tag, inputs[:, 0]) for tag, inputs in batches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fontgan.generate.inference.draw_pixels", copy)
        yield


@pytest.fixture(scope="module")
def run(disk: Path, cache: Path) -> Path:
    """A training there that was stopped half way."""
    shutil.copyfile(KAI, disk / "My Font (1).ttf")
    done = fontgan_here("train", *targets(disk), "trainer.stop_at=2", f"out={disk / 'run'}")
    assert done.returncode == 0, done.stderr
    return disk / "run"


def targets(disk: Path) -> list[str]:
    return [*TINY, f"data.source={SOURCE}", f"data.targets=[{disk / 'My Font (1).ttf'},{BRUSH}]"]


def names_in(folder: Path) -> set[str]:
    """In small letters: this driver lists them so."""
    return {file.name.lower() for file in folder.iterdir()}


def test_the_disk_is_as_windows_has_it(disk: Path) -> None:
    (disk / "Case").write_text("one", encoding="utf-8")
    assert (disk / "cASE").read_text(encoding="utf-8") == "one"
    for name in ("con", "a?b", "a:b", "end."):
        with pytest.raises(OSError):  # noqa: PT011
            (disk / name).write_bytes(b"")


def test_a_training_is_resumed_there(disk: Path, run: Path, here: Here) -> None:
    assert find(run, "last").step == 2
    done = here("train", *targets(disk), f"out={run}")
    assert done.returncode == 0, done.stderr
    assert find(run, "last").step == 4
    assert len(all_checkpoints(run)) == 2
    assert not [path for path in run.rglob(".*") if path.name != ".lock"]


def test_letters_are_drawn_in_both_cases(disk: Path, run: Path, here: Here, tmp_path: Path) -> None:
    out = disk / "drawn"
    done = here(
        "infer", f"checkpoint={run}", "text=AaBbZz", f"font={SOURCE}", "style=all", f"out={out}", "allow=[clipped]"
    )
    assert done.returncode == 0, done.stderr
    assert names_in(out) == {"mashanzheng-regular", "my font 1"}
    assert names_in(out / "My Font 1") >= {f"u+{ord(char):04x}.png" for char in "AaBbZz"}
    letters = tmp_path / "letters"  # of Linux, where A.png and a.png are two
    letters.mkdir()
    for char in "Aa?":
        shutil.copyfile(out / "My Font 1" / f"U+{ord(char if char != '?' else 'Z'):04X}.png", letters / f"{char}.png")
    again = here(
        "infer", f"checkpoint={run}", f"input={letters}", "style=My Font 1", f"out={disk / 'again'}", "allow=[odd_size]"
    )
    assert again.returncode == 0, again.stderr
    assert {name for name in names_in(disk / "again") if name.startswith("u+")} == {
        f"u+00{code}.png" for code in ("41", "61", "3f")
    }
    one, other = (np.asarray(Image.open(disk / "again" / f"U+{code}.png")) for code in ("0041", "0061"))
    assert not np.array_equal(one, other)


def test_a_font_is_completed_there(disk: Path, cache: Path) -> None:
    """Stopped on the way, and the same command goes on."""
    target, out = part_of(BRUSH, HAS + "ABCabc123 ", disk / "Brush (1).ttf"), disk / "Brush-complete.ttf"
    stopped = complete(target, out, "trainer.stop_at=2")
    assert stopped.returncode == 0, stopped.stderr
    done = complete(target, out, "formats=[woff2]")
    assert done.returncode == 0, done.stderr
    assert "goes on from step 2" in done.stderr
    assert set(map(ord, LACKS)) <= set(TTFont(out).getBestCmap())
    assert (disk / "Brush-complete.woff2").is_file()
    assert cache.is_dir()


def test_what_was_made_there_is_read_on_another_system(run: Path, tmp_path: Path, here: Here) -> None:
    """And its names are short enough for 260 characters behind a usual home folder."""
    moved = shutil.copytree(run, tmp_path / "moved")
    done = here(
        "infer",
        f"checkpoint={moved}",
        "text=永",
        f"font={SOURCE}",
        "style=My Font 1",
        f"out={tmp_path / 'out'}",
        "allow=[clipped]",
    )
    assert done.returncode == 0, done.stderr
    assert max(len(str(path.relative_to(run))) for path in run.rglob("*")) < 100
