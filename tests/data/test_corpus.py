"""scripts/corpus.py: its list, and what it makes of one font, fetched by stand-ins for npm and apt-get."""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fontTools.ttLib import TTFont

from fontgan.config.targets_file import read_targets
from tests.data.test_shelf import npm, package
from tests.helpers import BRUSH, KAI, SOURCE

SCRIPT = Path(__file__).parents[2] / "scripts" / "corpus.py"
LICENCE = b"SIL OPEN FONT LICENSE Version 1.1"


def test_nothing_that_is_judged_by_is_trained_on() -> None:
    listed = yaml.safe_load(SCRIPT.with_suffix(".yaml").read_text())
    judged = {name for name, facts in listed.items() if facts.get("use") == "validation"}
    kin = ("wenkai", "ma-shan-zheng", "xiaowei", "kuaile", "zhi-mang-xing", "shippori-mincho", "yusei", "kurenaido",
           "kaisei", "hahmlet", "nanum-pen")  # fmt: skip
    assert len(judged) == 10
    fetched = {name: facts for name, facts in listed.items() if "left_out" not in facts}
    for name, facts in fetched.items():
        told = f"{name} {facts['file']}".lower()
        assert (name in judged) == any(one in told for one in kin), name
    assert len({facts["sha256"] for facts in fetched.values()}) == len(fetched) > 70
    assert all(facts["left_out"] for facts in listed.values() if "sha256" not in facts)


@pytest.fixture
def listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the script with a list of two fonts, and an npm that has both."""
    script = tmp_path / "scripts" / "corpus.py"
    script.parent.mkdir()
    text = SCRIPT.read_text().replace("Path(__file__).resolve().parents[1]", f"Path({str(SCRIPT.parents[1])!r})")
    script.write_text(text)
    facts = {"class": "kai", "region": "sc", "licence": "OFL-1.1", "npm": "@made/fonts@1", "licence_file": "LICENSE"}
    named = {
        "one": facts | {"file": "one.ttf", "sha256": hashlib.sha256(SOURCE.read_bytes()).hexdigest()},
        "two": facts
        | {"file": "two.ttf", "sha256": hashlib.sha256(BRUSH.read_bytes()).hexdigest(), "use": "validation"},
        "three": {"class": "kai", "region": "sc", "left_out": "is made of pixels"},
    }
    script.with_suffix(".yaml").write_text(yaml.safe_dump(named))
    package(tmp_path / "made.tgz", {"one.ttf": SOURCE.read_bytes(), "two.ttf": BRUSH.read_bytes(), "LICENSE": LICENCE})
    npm(tmp_path, f'cp "{tmp_path}/made.tgz" "$dest/made-1.0.0.tgz"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return script


def run(script: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(script), str(out)], capture_output=True, text=True, timeout=120)


def test_fonts_are_fetched_with_lists_that_fontgan_takes(listing: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    made = run(listing, out)
    assert made.returncode == 0, made.stderr
    assert read_targets(str(out / "training.yaml")) == {
        "one": {"font": str(out / "training" / "one.ttf"), "source": "shelf:sans"}
    }
    assert list(read_targets(str(out / "validation.yaml"))) == ["two"]
    assert (out / "training" / "one.ttf").read_bytes() == SOURCE.read_bytes()
    assert (out / "training" / "one.LICENSE.txt").read_bytes() == LICENCE
    told = list(csv.DictReader((out / "manifest.csv").open()))
    assert [(row["name"], row["use"], row["family"]) for row in told] == [
        ("one", "training", "Noto Sans SC Thin"), ("two", "validation", "Ma Shan Zheng"), ("three", "left out", "")
    ]  # fmt: skip
    assert told[2]["why"] == "is made of pixels"
    npm(tmp_path, "exit 1")  # what is there is not fetched again
    assert run(listing, out).returncode == 0


@pytest.mark.parametrize(
    ("licence", "font", "said"), [(b"all rights reserved", SOURCE, "not the text"), (LICENCE, BRUSH, "sha256")]
)
def test_another_licence_or_font_is_refused_and_not_kept(
    licence: bytes, font: Path, said: str, listing: Path, tmp_path: Path
) -> None:
    package(tmp_path / "made.tgz", {"one.ttf": font.read_bytes(), "LICENSE": licence})
    made = run(listing, tmp_path / "corpus")
    assert made.returncode == 1
    assert made.stderr.splitlines()[-1].startswith("scripts/corpus.py: one:")
    assert said in made.stderr
    assert "Traceback" not in made.stderr
    assert not list((tmp_path / "corpus" / "training").iterdir())


def test_a_font_that_draws_as_one_that_is_judged_by_is_never_trained_on(listing: Path, tmp_path: Path) -> None:
    renamed = TTFont(KAI)
    renamed["name"].setName("Another Name", 1, 3, 1, 0x409)
    renamed.save(tmp_path / "renamed.ttf")
    font = (tmp_path / "renamed.ttf").read_bytes()
    package(tmp_path / "made.tgz", {"one.ttf": font, "two.ttf": BRUSH.read_bytes(), "LICENSE": LICENCE})
    listed = yaml.safe_load(listing.with_suffix(".yaml").read_text())
    listed["one"]["sha256"] = hashlib.sha256(font).hexdigest()
    listing.with_suffix(".yaml").write_text(yaml.safe_dump(listed))
    made = run(listing, tmp_path / "corpus")
    assert made.returncode == 1
    said = made.stderr.splitlines()[-1]
    assert re.search(r"one: draws (\d+) of \1 glyphs as LXGWWenKai does, and nothing may learn from that one", said)
    assert not (tmp_path / "corpus" / "training.yaml").exists()


@pytest.mark.parametrize(
    ("apt", "said"), [("exit 1", "apt-get could not download"), ("touch made.deb", "is broken or lacks a file")]
)
def test_a_debian_package_that_will_not_come_is_told_in_a_line(
    apt: str, said: str, listing: Path, tmp_path: Path
) -> None:
    facts = yaml.safe_load(listing.with_suffix(".yaml").read_text())
    facts["one"]["debian"] = "fonts-made"
    del facts["one"]["npm"]
    listing.with_suffix(".yaml").write_text(yaml.safe_dump(facts))
    for name, does in (("apt-get", apt), ("dpkg-deb", "exit 2")):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    made = run(listing, tmp_path / "corpus")
    assert made.returncode == 1
    assert said in made.stderr.splitlines()[-1]
    assert "Traceback" not in made.stderr
