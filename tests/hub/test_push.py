"""What ``fontgan push`` sends, and what it refuses to."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from fontTools.ttLib import TTFont

from fontgan.extras import how_to_install
from fontgan.hub.card import plain_markdown
from fontgan.training.checkpoint import find, open_checkpoint
from tests.helpers import BRUSH, KAI, SOURCE, TINY, Here, fontgan_here, part_of, reseal
from tests.hub.stand_in import Hub

SENT = {
    "README.md", "NOTICE", "config.yaml", "generator.safetensors", "metrics.jsonl", "run.json", "sheet.png",
}  # fmt: skip
PUSH = ("repo=me/tiny", "licence=ofl-1.1")


def front_matter(card: str) -> dict[str, object]:
    return yaml.safe_load(card.split("---\n")[1])


@pytest.fixture(scope="module")
def private_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned from files of somebody's own, named by their full paths."""
    home = tmp_path_factory.mktemp("home") / "jane-doe"
    (home / "clients" / "acme").mkdir(parents=True)
    chars = TINY[1].partition("=")[2]
    source, target = (
        part_of(font, chars, home / "clients" / "acme" / name)
        for font, name in ((SOURCE, "MySource.ttf"), (KAI, "MyHand.ttf"))
    )
    shutil.copy(KAI.with_name("LXGWWenKai.LICENSE.txt"), target.with_name("MyHand.LICENSE.txt"))
    (home / "chars.txt").write_text(chars)
    keys = (
        f"data.source={source}", f"data.targets={{hand: '{target}'}}", f"data.charset={home / 'chars.txt'}",
        f"data.cache={home / 'cache'}", "logger=csv", f"out={home / 'run'}",
    )  # fmt: skip
    result = fontgan_here("train", *TINY, *keys)
    assert result.returncode == 0, result.stderr
    return home / "run"


def test_it_sends_what_draws_and_no_more(here: Here, hub: Hub, tiny_run: Path) -> None:
    result = here("push", f"run={tiny_run}", *PUSH, "message=first")
    assert result.returncode == 0, result.stderr
    repo = hub.repos["me/tiny"]
    files = repo.files()
    assert files is not None
    assert set(files) - {".gitattributes"} == SENT
    assert repo.messages[-1] == "first"
    assert not repo.private
    own = find(tiny_run, "best").folder
    assert files["generator.safetensors"] == (own / "generator.safetensors").read_bytes()


def test_no_path_font_or_glyph_of_the_hand_goes_out(here: Here, private_run: Path, tmp_path: Path) -> None:
    result = here("push", f"run={private_run}", "licence=cc-by-4.0", f"out={tmp_path / 'sent'}")
    assert result.returncode == 0, result.stderr
    sent = {file.name: file.read_bytes() for file in (tmp_path / "sent").iterdir()}
    assert set(sent) == SENT
    everything = b"\n".join(sent.values())
    for word in (
        b"jane-doe",
        b"clients",
        b"acme",
        str(private_run.parent.parent).encode(),
        str(Path.home()).encode() + b"/",
    ):
        assert word not in everything
    for kind in (b"\0\1\0\0\0", b"OTTO", b"wOF2", b"ttcf"):
        assert not any(data.startswith(kind) for data in sent.values())
    config = yaml.safe_load(sent["config.yaml"])
    assert config["data"]["source"] == "MySource.ttf"
    assert config["data"]["targets"] == {"hand": "MyHand.ttf"}
    assert set(config["data"]["charset"]) == set(TINY[1].partition("=")[2])
    assert (config["data"]["cache"], config["logger"], config["out"]) == (None, {}, "runs/NAME")


@pytest.mark.slow
def test_what_has_no_paths_still_draws_and_is_trained_on(
    here: Here, private_run: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    sent = tmp_path / "sent"
    assert here("push", f"run={private_run}", "licence=other", f"out={sent}").returncode == 0
    for name, run in (("own", private_run), ("sent", sent)):
        asked = ("text=的一是", "style=hand", f"font={SOURCE}", "allow=[blank]", f"out={tmp_path / name}-drawn")
        assert here("infer", f"checkpoint={run}", *asked).returncode == 0
    own, public = (
        [file.read_bytes() for file in sorted((tmp_path / f"{name}-drawn").glob("U+*.png"))] for name in ("own", "sent")
    )
    assert len(own) == 3
    assert own == public
    assert "MySource.ttf: no such font" in refused("infer", f"checkpoint={sent}", "text=的", f"out={tmp_path / 'no'}")
    trained = here(
        "train", *TINY[4:], "experiment=finetune", f"init_from={sent}", f"data.targets={{new: '{BRUSH}'}}", f"data.source={SOURCE}",
        TINY[1], "data.guides=[]", f"out={tmp_path / 'new'}",
    )  # fmt: skip
    assert trained.returncode == 0, trained.stderr
    assert open_checkpoint(find(tmp_path / "new", "last").folder).metadata["styles"] == ["hand", "new"]


def test_the_card_has_the_figures_of_the_run(here: Here, hub: Hub, tiny_run: Path) -> None:
    here("push", f"run={tiny_run}", *PUSH)
    files = hub.repos["me/tiny"].files()
    assert files is not None
    card = files["README.md"].decode()
    known = front_matter(card)
    assert (known["library_name"], known["pipeline_tag"], known["license"]) == ("fontgan", "image-to-image", "ofl-1.1")
    assert "fontgan" in known["tags"]  # type: ignore[operator]
    assert "datasets" not in known
    checkpoint = find(tiny_run, "best")
    for style, scores in checkpoint.metadata["scores"].items():
        assert f"| {style} | {scores['ssim']:.3f} | {scores['l1']:.3f} | {scores['rmse']:.3f} |" in card
    assert "fontgan infer checkpoint=hf://me/tiny text=" in card
    assert "fontgan train init_from=hf://me/tiny " in card
    assert "![Rows of characters that the network drew](sheet.png)" in card
    assert "SIL Open Font License" in card
    from huggingface_hub import ModelCard

    assert ModelCard(card).data.to_dict()["license"] == "ofl-1.1"
    lines = [json.loads(line) for line in files["metrics.jsonl"].decode().splitlines()]
    assert lines
    assert all(line["step"] <= checkpoint.step for line in lines)


def test_names_of_fonts_stay_text_in_a_card() -> None:
    assert plain_markdown("a|b <script>\n[x](y) `z` *") == r"a\|b \<script\> \[x\](y) \`z\` \*"


@pytest.fixture
def of_font(tiny_run: Path, tmp_path: Path) -> Callable[..., Path]:
    """A run whose first style was learned from a font that says such words of itself."""

    def made(words: str, *, fs_type: int = 0, here: bool = True) -> Path:
        font = TTFont(KAI)
        font["name"].setName(words, 13, 3, 1, 0x409)
        font["OS/2"].fsType = fs_type
        font.save(file := tmp_path / "Words.ttf")
        run = tmp_path / "run"
        shutil.copytree(find(tiny_run, "best").folder, run)
        config = yaml.safe_load((run / "config.yaml").read_text())
        config["data"]["targets"]["kai"] = str(file) if here else "gone.ttf"
        (run / "config.yaml").write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False))
        described = json.loads((run / "run.json").read_text())
        described["data"]["styles"][0]["licence"] = words
        (run / "run.json").write_text(json.dumps(described))
        reseal(run)
        return run

    return made


FREE = "This Font Software is licensed under the SIL Open Font License, Version 1.1."


@pytest.mark.thinned(5)
@pytest.mark.parametrize(
    ("words", "options", "told"),
    [
        ("You may not modify this font.", {}, "its licence forbids changes"),
        ("You may not modify this font.", {"here": False}, "its font's licence forbids changes"),
        ("All rights reserved.", {}, "names no free licence"),
        ("All rights reserved.", {"here": False}, "names no free licence"),
        (FREE, {"fs_type": 2}, "Restricted License"),
    ],
)
def test_what_a_font_forbids_is_confirmed_first(
    of_font: Callable[..., Path],
    refused: Callable[..., str],
    here: Here,
    tmp_path: Path,
    words: str,
    options: dict[str, int],
    told: str,
) -> None:
    run = of_font(words, **options)
    line = refused("push", f"run={run}", "licence=ofl-1.1", f"out={tmp_path / 'sent'}")
    assert told in line
    assert "confirm_ownership=true" in line
    assert not (tmp_path / "sent").exists()
    confirmed = here("push", f"run={run}", "licence=other", f"out={tmp_path / 'sent'}", "confirm_ownership=true")
    assert confirmed.returncode == 0, confirmed.stderr


@pytest.mark.slow
def test_a_free_font_needs_no_word(of_font: Callable[..., Path], here: Here, tmp_path: Path) -> None:
    assert here("push", f"run={of_font(FREE)}", "licence=ofl-1.1", f"out={tmp_path / 'sent'}").returncode == 0


def test_a_licence_is_asked_for(refused: Callable[..., str], tiny_run: Path, tmp_path: Path) -> None:
    line = refused("push", f"run={tiny_run}", f"out={tmp_path / 'sent'}")
    assert "Its fonts name the SIL Open Font License. Add licence=ofl-1.1" in line
    assert "no name of a licence" in refused("push", f"run={tiny_run}", "licence=My own!", f"out={tmp_path / 'sent'}")
    assert not (tmp_path / "sent").exists()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (("repo=only-a-name",), "names no repository"),
        (("repo=me/..",), "names no repository"),
        (("repo=me/a--b",), "names no repository"),
        (("repo=me/x", "revision=../x"), "cannot be a branch"),
        ((), "where to?"),
        (("out=x", "message=y"), "sends nothing"),
    ],
)
def test_settings_that_cannot_be(refused: Callable[..., str], tiny_run: Path, keys: tuple[str, ...], told: str) -> None:
    assert told in refused("push", f"run={tiny_run}", "licence=ofl-1.1", *keys)


@pytest.mark.slow
def test_a_folder_of_others_is_left_alone(
    refused: Callable[..., str], here: Here, tiny_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    asked = (f"run={tiny_run}", "licence=mit")
    assert "did not make" in refused("push", *asked, f"out={tmp_path / 'mine'}")
    assert here("push", *asked, f"out={tmp_path / 'sent'}").returncode == 0
    assert "is there already" in refused("push", *asked, f"out={tmp_path / 'sent'}")
    assert here("push", *asked, f"out={tmp_path / 'sent'}", "overwrite=true").returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "sent"]


def test_without_the_extra(
    refused: Callable[..., str], here: Here, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert how_to_install("hub") in refused("push", f"run={tiny_run}", *PUSH)
    assert how_to_install("hub") in refused("infer", "checkpoint=hf://me/tiny", "text=永", f"out={tmp_path / 'x'}")
    assert here("push", f"run={tiny_run}", "licence=mit", f"out={tmp_path / 'sent'}").returncode == 0


@pytest.mark.slow
def test_pushed_again_it_replaces_what_was_there(here: Here, hub: Hub, tiny_run: Path) -> None:
    assert here("push", f"run={tiny_run}", *PUSH).returncode == 0
    alone = find(tiny_run, "last").folder.parent.parent / "checkpoints" / "step-00000002"
    assert (
        here("push", f"run={shutil.copytree(alone, tiny_run.parent / 'alone', dirs_exist_ok=True)}", *PUSH).returncode
        == 0
    )
    files = hub.repos["me/tiny"].files()
    assert files is not None
    assert "metrics.jsonl" not in files
    assert json.loads(files["run.json"])["step"] == 2
    assert len(hub.repos["me/tiny"].commits) == 3


@pytest.mark.slow
def test_the_hub_refuses(
    here: Here, refused: Callable[..., str], hub: Hub, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("push", f"run={tiny_run}")
    assert "may not do that" in refused(*asked, "repo=others/tiny", "licence=mit")
    assert "license" in refused(*asked, "repo=me/tiny", "licence=no-such-licence")
    hub.put("me/other", {"README.md": b"mine", "model.pkl": b"x"})
    assert "holds files that are no run (model.pkl)" in refused(*asked, "repo=me/other", "licence=mit")
    hub.put("me/open", {})
    assert "is public" in refused(*asked, "repo=me/open", "licence=mit", "private=true")
    assert here(*asked, "repo=me/closed", "licence=mit", "private=true").returncode == 0
    assert hub.repos["me/closed"].private
    monkeypatch.delenv("HF_TOKEN")
    assert "set HF_TOKEN" in refused(*asked, "repo=me/tiny2", "licence=mit")
    assert {name: len(repo.commits) for name, repo in hub.repos.items()} == {
        "me/tiny": 1, "me/other": 1, "me/open": 1, "me/closed": 2,
    }  # fmt: skip


def test_a_line_that_breaks_leaves_nothing_half(
    here: Here, refused: Callable[..., str], hub: Hub, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    hub.cut.add("generator.safetensors")
    assert "nothing was sent" in refused("push", f"run={tiny_run}", *PUSH)
    assert set(hub.repos["me/tiny"].files() or ()) == {".gitattributes"}
    hub.cut.clear()
    assert here("push", f"run={tiny_run}", *PUSH).returncode == 0
