"""fontgan on Windows and on a Mac, as far as Linux can play them (``pretended/sitecustomize.py``).

Any tests run so: ``FONTGAN_PRETEND=win32 PYTHONPATH=tests/systems/pretended pytest -n 0 tests/data``. Where a system lacks
something mypy tells it too: ``make lint`` checks the types of all three.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fontgan.errors import ConfigError
from fontgan.runtime import cores, files, linux

PRETENDED, ROOT = Path(__file__).parent / "pretended", Path(__file__).parents[2]
SYSTEMS = [pytest.param("win32"), pytest.param("darwin", marks=pytest.mark.slow)]
MAIN_WORK = (
    "training/test_training.py::test_a_signal_finishes_the_step_saves_and_says_how_to_go_on",
    "training/test_training.py::test_stop_at_below_the_resumed_step_stops_at_once",
    "test_inference.py::test_a_folder_of_glyphs_keeps_its_names",
    "complete/test_complete.py::test_a_completed_font_has_what_was_lacking_and_its_own_glyphs_untouched",
    "complete/test_complete.py::test_the_same_command_again_does_nothing_twice",
    "handwriting/test_handwriting.py::test_a_list_of_pictures_and_a_tiff_of_several",
    "data/test_pack.py::test_what_a_killed_packing_left_is_removed_by_the_next_unless_it_is_at_work",
    "studio/test_jobs.py::test_one_of_each_lane_runs_and_the_rest_waits_in_order",
    "studio/test_jobs.py::test_a_job_whose_process_died_is_cut_off",
)
IMPORT_ALL = """
import importlib, pkgutil, fontgan
found = [module.name for module in pkgutil.walk_packages(fontgan.__path__, "fontgan.")]
for name in found:
    if name not in ("fontgan.__main__", "fontgan.untrusted.sandbox_forked"):  # the one starts, the other is for Linux
        importlib.import_module(name)
assert len(found) > 200, found
from fontgan.untrusted.sandbox import ask
assert ask.__module__ == "fontgan.untrusted.sandbox_watched"
"""
HIDDEN = """
import types
fontgan = types.ModuleType("asked"); fontgan.__package__ = "fontgan"
exec("import os, sys\\nfound = (hasattr(os, 'fork'), sys.platform)\\ntry:\\n import fcntl\\nexcept ImportError:\\n found += ('none',)", vars(fontgan))
print(*fontgan.found)
"""


def on(system: str, *command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(PRETENDED), str(ROOT)])
    env = os.environ | {"FONTGAN_PRETEND": system, "PYTHONPATH": path}
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_what_is_lacking_is_hidden_from_fontgan() -> None:
    """Else the tests below would prove nothing."""
    assert on("win32", "-c", HIDDEN).stdout.split() == ["False", "win32", "none"]
    assert on("darwin", "-c", HIDDEN).stdout.split() == ["True", "darwin"]


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_every_module_is_imported(system: str) -> None:
    done = on(system, "-c", IMPORT_ALL)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(900)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_main_work_is_done(system: str, tmp_path: Path) -> None:
    tests = [str(ROOT / "tests" / test) for test in MAIN_WORK]
    options = ["-n", "0", "-p", "no:cacheprovider", "--timeout=600", "-m", "", f"--basetemp={tmp_path / 'under'}"]
    done = on(system, "-m", "pytest", *options, *tests)
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_what_linux_alone_offers_is_told_to_be_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "win32")
    file, fresh, folder = tmp_path / "file", tmp_path / "fresh", tmp_path / "folder"
    assert not linux.write_nameless(file, b"content")
    files.atomic_write(file, b"content")
    assert file.read_bytes() == b"content"
    for each in (fresh, folder):
        each.mkdir()
        (each / each.name).touch()
    assert not linux.exchange(fresh, folder)
    files.replace_folder(fresh, folder)
    assert (folder / "fresh").exists()
    assert (fresh / "folder").exists()
    assert cores.usable_cores() >= 1


def test_a_folder_whose_process_died_between_two_names_has_its_own_again(tmp_path: Path) -> None:
    """Where names cannot be exchanged, there is a moment without the name."""
    (tmp_path / ".page-replaced").mkdir()
    (tmp_path / ".page-replaced" / "index.html").touch()
    with files.temporary_sibling(tmp_path / "page"):
        assert (tmp_path / "page" / "index.html").exists()
    assert os.listdir(tmp_path) == ["page"]


def test_a_file_is_not_called_as_a_device_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.out_file("out", tmp_path / "con.ttf", ".ttf").name == "con.ttf", "here it is a name like any other"
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(ConfigError, match=r"Call it con_\.ttf"):
        files.out_file("out", tmp_path / "con.ttf", ".ttf")
