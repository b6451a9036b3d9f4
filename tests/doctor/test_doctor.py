"""``fontgan doctor``: a page of one screen that is true, says nothing private, and comes whatever is broken."""

from __future__ import annotations

import getpass
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from fontgan import __version__
from fontgan.doctor import child, disk, packages
from fontgan.doctor.child import ask_child
from fontgan.doctor.computing import computing
from fontgan.doctor.machine import amount, machine_rows
from fontgan.doctor.packages import modules, package_rows
from fontgan.doctor.privacy import hide
from fontgan.doctor.rows import WIDTH, Row, Wrong
from fontgan.doctor.self_test import PARTS, SelfTest
from fontgan.runtime import files, locks
from fontgan.training.state import TrainingState
from tests.helpers import fontgan_here

ROOT = Path(__file__).parents[2]
SCREEN = 40  # lines

on_posix = pytest.mark.skipif(os.name != "posix", reason="signals and scripts as Windows has none")


def doctor(*settings: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fontgan", "doctor", *settings]
    paths = os.pathsep.join([environment.pop("stub", ""), str(ROOT)]).strip(os.pathsep)
    variables = os.environ | {"OMP_NUM_THREADS": "1"} | environment | {"PYTHONPATH": paths}
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=280)


def stub(folder: Path, package: str, code: str) -> str:
    """A folder with a package that does this when it is imported."""
    (folder / f"{package}.py").write_text(code)
    return str(folder)


# -- the page -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with names that nobody may read on the page."""
    folder = tmp_path_factory.mktemp("Marzipan")
    for name in ("home/Zwetschge", "Secret Client/cache", "temporary Quitte", "project Mirabelle"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def page(odd: Path) -> subprocess.CompletedProcess[str]:
    return doctor(
        "out=doctor.json", cwd=odd / "project Mirabelle", HOME=str(odd / "home" / "Zwetschge"), USER="rosinante",
        LOGNAME="rosinante", FONTGAN_CACHE=str(odd / "Secret Client" / "cache"), TMPDIR=str(odd / "temporary Quitte"),
    )  # fmt: skip


def test_everything_works_here_and_the_page_says_so(page: subprocess.CompletedProcess[str]) -> None:
    assert page.returncode == 0, page.stdout + page.stderr
    assert page.stderr == ""
    lines = page.stdout.splitlines()
    for part in ("required", "files", "imports", "device=auto", *PARTS):
        assert [line for line in lines if re.match(rf"{part} +ok, ", line)], part
    told = " ".join(page.stdout.split())
    for fact in (
        f"fontgan {__version__}", f"Python {platform.python_version()}", platform.machine(), f"torch {torch.__version__.partition('+')[0]}",
        "GiB free of", "FONTGAN_CACHE is set; 0 packs", "FreeType 2.", "trainer.compile=auto", "C compilers:",
        "are the same to the bit", "Everything that fontgan needs works here.",
    ):  # fmt: skip
        assert fact in told, fact
    assert re.search(r"^in all +\d+\.\d s$", page.stdout, re.M)


def test_the_page_is_one_screen_that_can_be_pasted(page: subprocess.CompletedProcess[str]) -> None:
    lines = page.stdout.splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= WIDTH
    assert page.stdout.isascii()


def test_the_page_names_nobody_and_no_place(page: subprocess.CompletedProcess[str], odd: Path) -> None:
    said = page.stdout + (odd / "project Mirabelle" / "doctor.json").read_text()
    private = {"Marzipan", "Zwetschge", "Secret", "Quitte", "Mirabelle", "rosinante", str(ROOT), sys.prefix}
    for name in private | {platform.node(), ROOT.parent.name} | ({getpass.getuser()} - {"root"}):
        assert not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said), name
    assert not re.search(r"(?<!\w)/\w", said)
    assert not re.search(r"[A-Za-z]:\\", said)


def test_nothing_is_left_behind(page: subprocess.CompletedProcess[str], odd: Path) -> None:
    there = {str(path.relative_to(odd)) for path in odd.rglob("*") if path.is_file()}
    assert there == {"project Mirabelle/doctor.json"}
    assert list((odd / "temporary Quitte").iterdir()) == []


def test_the_file_holds_the_same(page: subprocess.CompletedProcess[str], odd: Path) -> None:
    file = odd / "project Mirabelle" / "doctor.json"
    content = json.loads(file.read_text())
    assert content["healthy"] is True
    rows = [Row(**row) for row in content["rows"]]
    assert [line for row in rows for line in str(row).splitlines()] == [
        line for line in page.stdout.splitlines()[:-1] if line
    ]
    assert {row.name for row in rows if row.section == "self-test"} == {*PARTS, "in all"}


def test_out_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "doctor.json").write_text("mine")
    result = fontgan_here("doctor", f"out={tmp_path / 'doctor.json'}")
    assert result.returncode == 2
    assert "is there already" in result.stderr
    assert result.stdout == ""
    assert (tmp_path / "doctor.json").read_text() == "mine"


# -- what is broken -----------------------------------------------------------------------------


def test_a_broken_torch_is_a_line(tmp_path: Path) -> None:
    code = "raise ImportError(\"libfig.so: needed by '/Users/plum jam/torch/lib.so'\")"
    result = doctor(stub=stub(tmp_path, "torch", code))
    assert result.returncode == 1
    assert result.stderr == ""
    told = " ".join(result.stdout.split())
    assert "imports FAILED: torch, torchmetrics, torchvision: ImportError: libfig.so: needed by '.../lib.so'" in told
    assert "self-test not tried, since a package is broken" in told
    assert re.search(r"required +ok, ", result.stdout)
    assert result.stdout.splitlines()[-1].startswith("FAILED: imports. Paste this page")


@pytest.mark.parametrize(
    "package",
    ["numpy", *(pytest.param(name, marks=pytest.mark.slow) for name in ("hydra", "msgspec", "PIL", "psutil"))],
)
def test_the_page_comes_without_what_fontgan_itself_stands_on(package: str, tmp_path: Path) -> None:
    if package not in modules():
        pytest.skip(f"fontgan was installed before it required {package}")
    result = doctor("device=cpu", stub=stub(tmp_path, package, "raise RuntimeError('made for another Python')"))
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    told = " ".join(result.stdout.split())
    assert re.search(rf"FAILED: (\w+, )*{package}\b.*RuntimeError: made for another Python", told), told
    assert "Everything" not in told


def test_what_is_only_told_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied", "/proc/secret/meminfo")

    monkeypatch.setattr("psutil.virtual_memory", refuse)
    (memory,) = [row for row in machine_rows() if row.name == "memory"]
    assert (memory.ok, memory.text) == (None, "not known: PermissionError: [Errno 13] Permission denied: '...'")


def test_settings_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fontgan.cli.can_compose", lambda: False)
    monkeypatch.setattr("fontgan.doctor.examine.examine", lambda *_: iter([Row("a", "b", "c", ok=True)]))
    result = fontgan_here("doctor", "out=a.json")
    assert result.returncode == 0
    assert "without out=a.json" in result.stderr


@on_posix
def test_a_package_that_ends_its_process_is_named(tmp_path: Path) -> None:
    result = doctor(stub=stub(tmp_path, "torch", "import os, signal; os.kill(os.getpid(), signal.SIGILL)"))
    assert result.returncode == 1
    assert "import torch FAILED: the process that does it was ended by SIGILL" in result.stdout
    assert "import torch. Paste" in result.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_package_that_hangs_is_stopped_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(tmp_path, "brotli", "import time; time.sleep(100)")
    stub(tmp_path, "torch", "raise ImportError('not now')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(child, "LIMIT_S", 15)
    monkeypatch.setattr("fontgan.doctor.packages.modules", lambda: ["brotli"])
    started = time.monotonic()
    (row,) = ask_child("auto", "auto")
    assert (row.name, row.ok) == ("import brotli", False)
    assert "was stopped after 15 s" in row.text
    assert time.monotonic() - started < 60


def test_a_package_that_is_too_old_is_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, "scipy", "0.1")
    monkeypatch.syspath_prepend(tmp_path)
    rows = {row.name: row for row in package_rows()}
    assert rows["required"].ok is False
    assert re.search(r'scipy is 0\.1\. Run pip install "scipy[^"]*>=', rows["required"].text)


def pretend(folder: Path, package: str, version: str, *lines: str) -> None:
    """Metadata of an installed package."""
    about = folder / f"{package}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.1", f"Name: {package}", f"Version: {version}", *lines])
    )


def test_extras_that_are_lacking_are_named_with_their_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extras = {"press": "numpy>=1", "zine": "no-such-package>=1", "old": "numpy<1", "dev": "no-such-package"}
    lines = [f"Provides-Extra: {name}" for name in extras]
    pretend(
        tmp_path, "fontgan", "0.1.0", *lines, *(f'Requires-Dist: {of} ; extra == "{name}"' for name, of in extras.items())
    )  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    rows = {row.name: row for row in package_rows()}
    assert rows["extras"].text == 'press; lacking: zine, old, each by pip install -e ".[NAME]" in the checkout'
    monkeypatch.setattr(packages, "__file__", str(tmp_path / "fontgan" / "doctor" / "packages.py"))
    about = tmp_path / "fontgan-0.1.0.dist-info" / "direct_url.json"
    about.write_text(json.dumps({"url": "file:///secret%20place/fontgan-0.1.0-py3-none-any.whl", "archive_info": {}}))
    rows = {row.name: row for row in package_rows()}
    assert rows["extras"].text.endswith('by pip install "fontgan-0.1.0-py3-none-any.whl[NAME]"')
    assert packages.came_from() == "installed from fontgan-0.1.0-py3-none-any.whl"


def test_every_required_package_has_a_module_that_is_found() -> None:
    assert len(modules()) > 15
    for module in modules():
        assert importlib.util.find_spec(module), module


def test_files_that_are_not_replaced_or_locked_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONTGAN_CACHE", str(tmp_path / "not yet" / "there"))
    rows = {row.name: row for row in disk.disk_rows()}
    assert rows["files"].ok is True
    assert "nothing is in it yet" in rows["cache"].text
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as patch:
        patch.setattr(files, "replace_folder", lambda fresh, folder: None)
        assert "is the old one" in {row.name: row for row in disk.disk_rows()}["files"].text
    with monkeypatch.context() as patch:
        patch.setattr(locks, "locked", lambda folder, what: patch.context())
        assert "locks do not hold" in {row.name: row for row in disk.disk_rows()}["files"].text


def test_the_cache_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONTGAN_CACHE", str(tmp_path))
    for name in ("one", "two", ".aside"):
        (tmp_path / "packs" / name).mkdir(parents=True)
        (tmp_path / "packs" / name / "pixels-00000.npy").write_bytes(bytes(1 << 20))
    (row,) = [row for row in disk.disk_rows() if row.name == "cache"]
    assert "2 packs, 3.0 MiB in 3 files" in row.text
    assert (amount(999), amount(1536), amount(3 * 2**40)) == ("999 bytes", "1.5 KiB", "3.0 TiB")


@on_posix
def test_a_driver_without_a_torch_that_can_use_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 570.86.15\necho 570.86.15\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked = {name: ask for _, name, ask, _ in computing(device="cpu", precision="fp32", announce=print, folder="")}
    told = asked["CUDA"]()
    assert told == "none: driver 570.86.15; this torch is built without CUDA: install one that is, see pytorch.org"
    assert asked["device=cpu"]().startswith("computes on cpu in fp32")
    assert "compile=auto does not" in asked["compiling"]()


def test_each_cuda_device_is_told_with_what_is_wrong_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def memory(number: int) -> tuple[int, int]:
        if number:
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nfurther lines")
        return 3 << 30, 8 << 30

    class About:
        name, major, minor = "NVIDIA Imagined 8", 6, 1

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: About)
    monkeypatch.setattr(torch.cuda, "mem_get_info", memory)
    ones = torch.ones
    monkeypatch.setattr(torch, "ones", lambda count, device: ones(count))
    asked = {name: ask for _, name, ask, _ in computing(device="cpu", precision="fp32", announce=print, folder="")}
    assert asked["CUDA"]().split("; ")[1:] == [
        "cuda:0 NVIDIA Imagined 8, compute capability 6.1, 3.0 GiB free of 8.0 GiB, computes",
        "cuda:1 NVIDIA Imagined 8, compute capability 6.1, cannot be used: CUDA error: no kernel image is available for "
        "execution on the device",
    ]


# -- the self-test ------------------------------------------------------------------------------


def test_a_training_that_does_not_learn_or_resume_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test = SelfTest(tmp_path, "cpu", "fp32")
    with pytest.raises(Wrong, match="not tried, since train failed"):
        test.do("resume")
    for losses, said in ((iter([1.0] * 99), "did not fall"), (iter([float("nan")] * 99), "not finite")):
        with monkeypatch.context() as patch:
            patch.setattr("fontgan.doctor.self_test._step", lambda *_, losses=losses: next(losses))
            with pytest.raises(Wrong, match=said):
                test.do("train")
    test.do("train")
    monkeypatch.setattr(TrainingState, "resume", lambda self, saved: None)
    with pytest.raises(Wrong, match="of a resumed training differ"):
        test.do("resume")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu() -> None:
    result = doctor("device=cuda")
    assert result.returncode == 0, result.stdout
    assert "compute capability" in result.stdout


# -- privacy ------------------------------------------------------------------------------------


@pytest.fixture
def someone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home of many" / "kirsche"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("LOGNAME", "damson")
    monkeypatch.setattr(platform, "node", lambda: "orchard.example")
    return home


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("No such file or directory: '/mnt/secret big place/x.so'", "No such file or directory: '.../x.so'"),
        ("cannot import name 'a' from 'torch' (/opt/my stuff/torch/__init__.py)", "cannot import name 'a' from 'torch' (.../__init__.py)"),
        ("/data/client x/lib.so: cannot open shared object file", ".../lib.so: cannot open shared object file"),
        ("{home}/fonts/My Font.ttf is damaged", ".../My Font.ttf is damaged"),
        ("{home} is full", "~ is full"),
        ("/usr/lib/somewhere is a folder", "... is a folder"),
        ("C:\\Users\\Jane Doe\\x.dll is bad", ".../x.dll is bad"),
        ("~damson/a.ttf and ~/b.ttf", ".../a.ttf and .../b.ttf"),
        ("damson on orchard, orchard.example", "(user) on (host), (host)"),
        ("kirsche may not; bf16/fp32 and/or damsons", "(user) may not; bf16/fp32 and/or damsons"),
        ("libcudart.so.12: cannot open shared object file", "libcudart.so.12: cannot open shared object file"),
    ],
)  # fmt: skip
def test_texts_of_others_lose_names_and_places(said: str, left: str, someone: Path) -> None:
    hidden = hide(said.replace("{home}", str(someone)))
    assert hidden in (left, left.replace("My Font", "Font").replace(".../Font", "... Font"))
