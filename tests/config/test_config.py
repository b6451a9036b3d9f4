"""The config: every variant composes and builds, and what does not fit is refused in one line with the choices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hydra
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from fontgan.config.compose import compose_config, up_preset
from fontgan.config.field_names import KEYS, NEAREST, VARIANTS, plain
from fontgan.config.groups import SAME_VARIANTS, choices, config_folder, groups, hydra_here
from fontgan.config.instantiate import build, build_objective
from fontgan.config.overrides import escape_overrides, unescape
from fontgan.config.saved import load_config
from fontgan.errors import ConfigError

EXPERIMENTS = choices("experiment")


def test_the_groups_are_those_the_issue_names() -> None:
    assert {
        "data", "discriminator", "experiment", "generator", "generator/norm", "generator/style", "generator/up",
        "generator/up/fusion", "generator/up/refine", "generator/up/resize", "loss", "optim", "trainer",
    } <= set(groups())  # fmt: skip


def test_every_config_file_is_reachable_as_a_choice() -> None:
    in_groups = {f"{group}/{name}" for group in groups() if group not in SAME_VARIANTS for name in choices(group)}
    files = {p.relative_to(config_folder()).with_suffix("").as_posix() for p in config_folder().rglob("[!_]*.yaml")}
    assert {f for f in files if "/" in f} == in_groups
    assert len(in_groups) >= 35


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes(name: str) -> None:
    assert compose_config("train", [f"experiment={name}"]).name == name


def test_experiments_are_found() -> None:
    assert {"quickstart", "zi2zi_classic", "best"} <= set(EXPERIMENTS)


def test_one_part_of_a_preset_is_overridden_alone() -> None:
    cfg = compose_config("train", ["experiment=scratch", "generator/up=gated", "generator/up/refine=resskip_depthwise"])
    assert cfg.generator.up.refine.mode == "depthwise"
    assert cfg.generator.up.fusion._target_.endswith("GatedFusion")
    assert cfg.generator.up.resize._target_.endswith("InterpolateConvResize")


def test_the_command_line_beats_the_experiment() -> None:
    cfg = compose_config("train", ["experiment=zi2zi_classic", "generator/up=subpixel", "generator.ngf=8"])
    assert cfg.generator.up.resize._target_.endswith("SubpixelResize")
    assert cfg.generator.ngf == 8
    assert cfg.generator.depth == 8


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("trainer.max_step=3", ["trainer.max_step", "Did you mean max_steps?", "batch_size"]),
        ("+trainer.more=3", ["trainer.more", "Keys here", "max_steps"]),
        ("+more=3", ["more", "Keys here", "trainer"]),
        ("nothing.here=3", ["nothing.here", "Keys here", "generator"]),
        ("generator/up=decon", ["generator/up=decon", "Did you mean deconv?", ", ".join(choices("generator/up"))]),
        ("generator/up/refine=nope", ["resskip_depthwise, resskip_standard"]),
        ("generatr/up=deconv", ["generatr/up", "Did you mean generator/up?"]),
        ("experiment=slow", [", ".join(EXPERIMENTS)]),
        ("generator.up.resize.kernal=3", ["Did you mean kernel?", "bias"]),
        ("+generator.up.resize.more=3", ["generator.up.resize.more", "kernel"]),
        ("trainer.max_steps=many", ["trainer.max_steps", "many", "Integer"]),
        ("trainer.channels_last=7.5", ["trainer.channels_last", "bool"]),
        ("generator.ngf=wide", ["generator.ngf", "wide", "Integer"]),
        ("generator.attention_levels=[a]", ["generator.attention_levels", "a"]),
        ("data.augment.shift=far", ["data.augment.shift", "far"]),
        ("data.augment.shft=0", ["data.augment.shft", "Did you mean shift?"]),
        ("loss.l2.weight=1", ["loss.l2", "constancy"]),
        ("trainer.freeze=encoder", ["trainer.freeze=encoder: a list is needed. Write trainer.freeze=[encoder]."]),
        (
            "trainer.max_steps=[3]",
            ["trainer.max_steps=[3]: one value is needed, not a list. Write trainer.max_steps=3."],
        ),
        ("generator.ngf=[8,16]", ["generator.ngf=[8, 16]: one value is needed, not a list."]),
        ("generator.attention_levels=3", ["generator.attention_levels=3: a list is needed."]),
        ("name=[", ["name=[", "quotes"]),
    ],
)
def test_what_does_not_exist_or_fit_is_refused_with_the_choices(override: str, says: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        compose_config("train", [override])
    text = str(error.value)
    assert "\n" not in text
    for part in says:
        assert part in text, text


def test_values_out_of_range_are_refused_by_the_part_itself() -> None:
    cfg = compose_config("train", ["experiment=scratch", "generator/up/resize=deconv", "generator.up.resize.kernel=3"])
    with pytest.raises(ConfigError, match="checkerboard"):
        build(cfg.generator, "generator", styles=2)
    with pytest.raises(ConfigError, match="choose one of hinge, least_squares"):
        build_objective(compose_config("train", ["experiment=scratch", "loss.adversarial.kind=wgan"]).loss)


NAMED = [*VARIANTS, *KEYS, *NEAREST]


@pytest.mark.thinned(6)
@pytest.mark.parametrize("here", NAMED)
def test_what_a_name_of_the_field_is_called_here_can_be_written(here: str) -> None:
    """An override, several, a group, or a key of some verb."""
    if here not in groups() and "=" in here:
        compose_config("train", ["experiment=scratch", *here.split()])
    elif here not in groups():
        assert any(here in known for known in KEYS_OF_VERBS.values())


def keys_of(node: dict[str, Any], place: str = "") -> set[str]:
    found = set()
    for key, value in node.items():
        found |= {f"{place}{key}", *(keys_of(value, f"{place}{key}.") if isinstance(value, dict) else ())}
    return found


RICHEST = {"train": ["experiment=scratch"]}  # which has a judge, too


def composed(verb: str) -> dict[str, Any]:
    with hydra_here():
        return OmegaConf.to_container(hydra.compose(verb, RICHEST.get(verb)), resolve=False)  # type: ignore[return-value]


KEYS_OF_VERBS = {verb: keys_of(composed(verb)) for verb in ("train", "infer", "render")}


def test_no_name_of_the_field_is_a_name_here() -> None:
    for target, names in VARIANTS.items():
        group, _, name = target.split()[0].partition("=")
        for one in set(names.split()) & {plain(choice) for choice in choices(group)}:
            assert one == plain(name), f"{one} is a variant of {group} itself"
    assert all(name == plain(name) for table in (VARIANTS, KEYS, NEAREST) for names in table.values() for name in names.split())  # fmt: skip


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("generator/up=pixelshuffle", "pixelshuffle is generator/up=subpixel here. Choose one of"),
        ("generator/up=Pixel_Shuffle", "Pixel_Shuffle is generator/up=subpixel here."),
        ("generator/up=PixelShuffleUpBlock", "is generator/up=subpixel_resskip here."),
        ("generator/up=bilinear", "is generator/up=interpolate_conv here."),
        ("generator/up=ConvTranspose2d", "is generator/up=deconv here."),
        ("generator/up=meta_upsample", "is generator/up=meta here."),
        ("generator/up=conv_only_up", "is generator/up=conv_only here."),
        ("generator/up=hybrid_interpolation", "is generator/up=hybrid here."),
        ("generator/up=LearnableInterpolationUpsample", "is generator/up=learnable_interpolation here."),
        ("generator/up=FiLM", "FiLM is generator/style=film here."),
        ("generator/up/resize=PixelShuffle", "is generator/up/resize=subpixel here."),
        ("generator/up/fusion=gated_fusion", "is generator/up/fusion=gated here."),
        ("generator/up/refine=resskip", "is generator/up/refine=resskip_standard or generator/up/refine=resskip_depth"),
        (
            "generator/encoder_refine=ResSkip",
            "is generator/encoder_refine=resskip_standard or generator/encoder_refine",
        ),
        ("generator/norm=InstanceNorm2d", "is generator/norm=instance here."),
        ("generator/norm=SPADE", "SPADE is not here; generator/style=adain_all comes nearest."),
        ("up_mode=pixelshuffle", "up_mode=pixelshuffle is generator/up=subpixel here."),
        ("up_mode=gated", "up_mode=gated is generator/up=gated here."),
        ("generator.up_mode=some", "up_mode is generator/up here."),
        ("refine=resskip", "refine=resskip is generator/up/refine=resskip_standard or "),
        ("fusion_conv=true", "fusion_conv is generator/up/refine=conv here."),
        ("embedding_dim=64", "embedding_dim is generator.style.dim here."),
        ("Lconst_penalty=15", "is loss.constancy.weight here."),
        ("lr=0.001", "lr is optim.lr here."),
        ("+lr=0.001", "no such config key."),
        ("trainer.epochs=9", "epochs is trainer.max_steps here."),
        ("++trainer.epochs=9", "epochs is trainer.max_steps here."),
        ("generator/upsample=nearest", "upsample=nearest is generator/up=nearest_conv here."),
        ("resume=true", "resume is out=RUN here."),
    ],
)
def test_names_of_the_field_are_understood(override: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        compose_config("train", [override])
    assert says in str(error.value)


def test_names_of_the_field_are_understood_in_other_verbs() -> None:
    for verb, typed, says in (
        ("infer", "gpu_ids=0", "gpu_ids is device here."),
        ("infer", "label=3", "label is style here."),
        ("render", "image_size=64", "image_size is size here."),
    ):
        with pytest.raises(ConfigError, match=says):
            compose_config(verb, [typed])
    with pytest.raises(ConfigError) as error:  # no key of this verb is meant
        compose_config("render", ["epochs=3"])
    assert " here." not in str(error.value)
    with pytest.raises(
        ConfigError, match=r"inner=pixelshuffle: no such preset\. pixelshuffle is generator/up=subpixel"
    ):
        compose_config("train", ["generator/up=hybrid", "generator.up.inner=pixelshuffle"])


@pytest.mark.parametrize(
    "target",
    ["os.system", "builtins.eval", "subprocess.run", "torch.load", "torch.hub.load", "fontgan.cli.os.system",
     "torch.nn.modules.module.importlib.import_module", "fontgan.build.importlib.import_module", "torch.nn.os.system", 3],
)  # fmt: skip
def test_only_our_own_targets_and_torchs_layers_may_be_named(target: object) -> None:
    node = OmegaConf.create({"_target_": target, "_partial_": True})
    with pytest.raises(ConfigError, match="_target_"):
        build(node, "generator")


def test_a_strangers_saved_config_is_checked_like_a_typed_one(tmp_path: Path) -> None:
    cfg = compose_config("train", [])
    cfg.generator.norm._target_ = "os.system"
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True))
    with pytest.raises(ConfigError, match=r"only classes of fontgan\.models"):
        load_config(tmp_path / "config.yaml")
    (tmp_path / "config.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_config(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    ("typed", "key", "value"),
    [
        ("data.source=~/字体/Var.ttf@wght=600", "source", "~/字体/Var.ttf@wght=600"),
        ("data.source=A (1)!.ttc#2", "source", "A (1)!.ttc#2"),
        ("data.charset=永字，八法", "charset", "永字，八法"),
        ("data.charset=a,b", "charset", "a,b"),
        ("data.charset=0123456789", "charset", "0123456789"),
        ("data.charset=1.10", "charset", "1.10"),
        ("++data.charset=true", "charset", "true"),
        ("data.targets=[楷体.ttf,B.ttc#1]", "targets", ["楷体.ttf", "B.ttc#1"]),
        (
            "data.targets={楷: /tmp/x y.ttf, brush: B.ttf@wght=600}",
            "targets",
            {"楷": "/tmp/x y.ttf", "brush": "B.ttf@wght=600"},
        ),
    ],
)
def test_paths_and_glyphs_need_no_quoting_tricks(typed: str, key: str, value: object) -> None:
    data = OmegaConf.to_container(compose_config("train", ["experiment=scratch", typed]).data)
    assert isinstance(data, dict)
    assert data[key] == value


@pytest.mark.parametrize(("first", "last"), [("a", "01"), ("01", "02"), ("01", "a")])
def test_of_a_text_typed_twice_the_last_counts(first: str, last: str) -> None:
    assert compose_config("train", [f"name={first}", f"name={last}"]).name == last


def test_a_preset_that_cannot_be_composed_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"generator/up=subpixle: no such variant\. Did you mean subpixel"):
        up_preset("subpixle")


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="'\"\\${}[],:*?|"), min_size=1, max_size=12)
)
def test_any_literal_charset_arrives_as_typed(text: str) -> None:
    if text.lower() == "null":
        return  # that is no text
    (prepared,) = escape_overrides([f"data.charset={text}"])
    assert unescape(prepared) == f"data.charset={text}"
    assert compose_config("train", [f"data.charset={text}"]).data.charset == text
