"""What is run, as a user would type it: the settings here follow every renamed key or verb.

All commands run in one folder, in the order of this file, so later ones use what earlier ones left.
"""

from __future__ import annotations

from pathlib import Path

EXPERIMENTS = Path(__file__).parents[2] / "configs" / "experiment"
CHARS = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年"

# Of every training.  With Adam's default eps a gradient that is nothing but rounding would move its weight as far as any
# other, and then no two kinds of CPU would agree.
SMALL = (
    "experiment=scratch", "trainer.device=cpu", "trainer.precision=fp32", "trainer.compile=false", "trainer.threads=1", "data.workers=1",
    "trainer.batch_size=4", "trainer.max_steps=4", "trainer.eval_every=2", "trainer.save_every=4",
    "trainer.sheet_chars=2", "optim.warmup_steps=1", "+optim.algorithm.eps=1e-4",
)  # fmt: skip
# Of those that start from nothing.  With init=normal the maps of so narrow a network hardly vary: batch norm enlarges what
# rounding there is, and all glyphs are drawn alike.
FRESH = ("data.size=64", f"data.charset={CHARS}", "generator.ngf=4", "generator.depth=5", "generator.init=kaiming")

# Of the trainings of one experiment each; the experiments themselves are found in their folder.
EXPERIMENT = (*SMALL, *FRESH, "discriminator.ndf=4")
DEEPER = ("generator.depth=6", "generator.innermost_stride=1")  # with fewer levels none has dropout
FROM_NOTHING = ("init_from=null",)
MORE = {"zi2zi_classic": DEEPER, "quickstart": FROM_NOTHING, "finetune": FROM_NOTHING, "complete": FROM_NOTHING}

TWO_STYLES = "data.targets={kai: 'asset:LXGWWenKai.ttf', brush: 'asset:MaShanZheng-Regular.ttf'}"
NEW_STYLE = "data.targets={fresh: 'asset:ZCOOLXiaoWei-Regular.ttf'}"

# Parts that no experiment uses.
TRAININGS = {
    "losses": (
        *SMALL, *FRESH, "generator.init=normal", "generator/up=hybrid", "generator/norm=group",
        "generator/style=cross_attention", "generator/attention=linear", "generator.attention_levels=[3]",
        "generator.antialias_down=true",
        "discriminator=patch", "discriminator.ndf=4", "discriminator.head=category", "loss=ink_gan",
        "loss.adversarial.kind=relativistic", "loss.adversarial.weight=0.5", "loss.adversarial.start=0", "loss.r1.weight=1", "loss.category.weight=1",
        "loss.feature_matching.weight=1", "loss.perceptual.weight=1", "loss.edge.scales=3", "loss.constancy.weight=1",
        "loss.total_variation.weight=0.1", "trainer.accumulate=2", "trainer.ema_decay=0.1", "trainer.max_steps=3",
    ),
    "reference": (
        *SMALL, *FRESH, "generator/style=reference", "generator.style.shots=2", "generator.style.width=4",
        "generator/up=carafe", "generator/innermost=transformer", "generator/encoder_refine=mbconv",
        "generator.encoder_refine_levels=[2,3]", "generator/norm=instance", "generator.init=xavier",
        "discriminator=patch", "discriminator.ndf=4", "loss=ink_gan", "loss.adversarial.kind=least_squares",
        "loss.adversarial.start=0", "data.align=false", "trainer.ema_decay=0", "trainer.grad_clip=0.05",
        "trainer.gradient_checkpointing=true", "trainer.max_steps=3",
    ),
    "attention": (
        *SMALL, *FRESH, "generator=unet_attention_resskip", "generator/up=attention_gate", "generator/style=adain_all",
        *DEEPER, "generator.dropout=0.2", "discriminator=zi2zi", "discriminator.ndf=4", "loss=ink_gan",
        "loss.adversarial.kind=non_saturating", "loss.category.weight=1", "loss.adversarial.start=0", "trainer.channels_last=false",
    ),
    "from_base": (
        *SMALL, "experiment=finetune", TWO_STYLES, f"data.charset={CHARS}", "trainer.max_steps=2", "optim.warmup_steps=0",
    ),
    "origin": (
        *SMALL, *FRESH, TWO_STYLES, "generator/up=resskip", "generator/style=film_all", "generator/norm=batch",
        "trainer.batch_size=8",
    ),
    "train_only": (*SMALL, NEW_STYLE, "init_from=train/origin", "trainer.batch_size=8", "trainer.train_only=style"),
    "freeze": (*SMALL, NEW_STYLE, "init_from=train/origin", "trainer.batch_size=8", "trainer.freeze=[encoder]"),
}  # fmt: skip

# One experiment once more, which must not come out the same.
OTHER_SEED = "scratch"
OTHER = {"other_seed": (*EXPERIMENT, f"experiment={OTHER_SEED}", "trainer.seed=2")}

ON_CPU = ("device=cpu", "precision=fp32")
DRAW = ("infer", *ON_CPU, "text=永国东的一是")

# Verb and settings; every command makes its folder or file in the folder that its name begins with.
COMMANDS: dict[str, tuple[str, ...]] = {
    "images/render": ("render", "font=asset:LXGWWenKai.ttf", "charset=永国东书体A", "size=128"),
    "images/infer-all": (*DRAW, "checkpoint=train/scratch", "style=all"),
    "images/infer-mixture": (*DRAW, "checkpoint=train/best", "style={kai: 0.6, brush: 0.4}"),
    "images/infer-path": (*DRAW, "checkpoint=train/losses", "style_path=[kai, brush]", "frames=4"),
    "images/infer-folder": ("infer", *ON_CPU, "checkpoint=train/zi2zi_classic", "style=kai", "input=images/render"),
    "images/infer-reference": (*DRAW, "checkpoint=train/reference", "style_images=images/render"),
    "images/infer-new-style": (*DRAW, "checkpoint=train/train_only", "style=fresh"),
    "outlines/cubic.ufo": ("vectorize", "input=images/render", "workers=1"),
    "outlines/quadratic.ufo": ("vectorize", "input=images/render", "charset=永国", "curves=quadratic", "workers=1"),
    "fonts/new.ttf": ("build-font", "input=outlines/quadratic.ufo", "family=Golden"),
    "fonts/new.otf": ("build-font", "input=outlines/cubic.ufo", "family=Golden"),
    "fonts/more.ttf": ("build-font", "input=outlines/cubic.ufo", "target=fonts/new.ttf", "confirm_ownership=true"),
}  # fmt: skip


def trainings() -> dict[str, tuple[str, ...]]:
    """Settings of ``fontgan train`` by run, the experiments first."""
    names = sorted(file.stem for file in EXPERIMENTS.glob("*.yaml"))
    found = {name: (*EXPERIMENT, *MORE.get(name, ()), f"experiment={name}") for name in names}
    return found | TRAININGS | OTHER
