"""fontgan <verb> [overrides]: the command line.

Only what a verb needs is imported, so that ``fontgan --help`` answers at once.
"""

from __future__ import annotations

import errno
import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from fontgan import __version__
from fontgan.errors import one_line
from fontgan.runtime.log_setup import set_up_logging

VERBS = {
    "complete": "draw what a typeface lacks and build the font, from training to the file to install, in one command",
    "train": "fit a generator to a source and target styles, or go on with a stopped run",
    "infer": "draw a folder of glyphs, or characters of a font, in a trained style",
    "render": "draw a font's characters into a folder of glyph images",
    "check": "say what is wrong with fonts or glyph folders before training",
    "evaluate": "measure a run on its held-out characters, or any folder of glyphs against the true ones",
    "diagnose": "say how much of a run's glyphs is artefact, and which stage of its decoder brings it in",
    "report": "compare runs in one page: which variant wins, by how much, at what cost",
    "report blocks": "measure what every block of the generator costs, each swapped alone into the same one",
    "vectorize": "turn glyph images into outlines: a UFO that font editors open",
    "build-font": "make a font file of outlines or glyph images: a new font, or what a font lacks added to it",
    "proof": "show a font's made glyphs, the doubtful first, and text set in it, in one page",
    "advise": "say which characters to draw next, so that the result improves most",
    "template": "make pages to print and write characters on, as a PDF",
    "scan": "cut scanned or photographed template pages into a folder of glyph images",
    "bench": "measure how fast this machine trains, draws, reads data and makes fonts, beside what it is compared to",
}

# The setting that a verb's first word stands for: ``fontgan bench step`` is ``fontgan bench what=step``.
FIRST_WORD = {"bench": "what"}

# Whose keys fontgan train --help explains; the other variants of these groups have the same or fewer.
HELP_FILES = (
    "generator/unet.yaml", "generator/up/resize/interpolate_conv.yaml", "discriminator/patch.yaml", "loss/ink_gan.yaml",
    "optim/adamw.yaml", "trainer/default.yaml", "sweep/none.yaml",
)  # fmt: skip

EXAMPLES = {
    "complete": (
        "fontgan complete target=MyFont.ttf source=NotoSansSC.ttf charset=gb2312-1 out=MyFont-complete.ttf",
        "fontgan complete target=my-glyphs/ source=NotoSansSC.ttf charset=gb2312-1 family='My Hand' out=MyHand.ttf",
        "fontgan complete target=MyFont.ttf source=NotoSansSC.ttf run=runs/mine out=MyFont-complete.ttf",
    ),
    "train": (
        "fontgan train",
        "fontgan train data=fonts data.source=A.ttf 'data.targets=[B.ttf,C.otf]' out=runs/mine",
        "fontgan train data=folder data.source=DIR 'data.targets={kai: DIR, brush: DIR}' out=runs/mine",
        "fontgan train generator/up=gated generator/up/refine=resskip_depthwise trainer.max_steps=2000",
        "fontgan train init_from=runs/mine 'data.targets={hand: DIR}' trainer.train_only=style out=runs/with-hand",
        "fontgan train -m generator/up=deconv,gated trainer.seed=1,2 out=runs/sweep",
        "fontgan train -m sweep=up_blocks sweep.budget=30TFLOP out=runs/up_blocks",
    ),
    "infer": (
        "fontgan infer checkpoint=runs/quickstart input=FOLDER out=DIR style=kai",
        "fontgan infer checkpoint=runs/quickstart text=永字八法 out=DIR 'style={kai: 0.6, brush: 0.4}'",
        "fontgan infer checkpoint=runs/quickstart font=A.ttf charset=gb2312-1 out=DIR style=all",
        "fontgan infer checkpoint=runs/quickstart text=永字八法 out=DIR 'style_path=[kai, brush]' frames=12",
        "fontgan infer checkpoint=runs/reader text=永字八法 out=DIR style_images=DIR",
    ),
    "render": ("fontgan render font=A.ttf out=DIR charset=gb2312-1 size=256",),
    "check": (
        "fontgan check data=fonts data.source=A.ttf 'data.targets=[B.ttf]'",
        "fontgan check data=folder data.source=DIR 'data.targets={mine: DIR}'",
        "fontgan check init_from=runs/mine 'data.targets={hand: DIR}'",
    ),
    "evaluate": (
        "fontgan evaluate run=runs/quickstart out=evaluation.json sheet=worst.png",
        "fontgan evaluate pred=DIR truth=DIR",
    ),
    "diagnose": ("fontgan diagnose checkpoint=runs/quickstart out=diagnosis.json picture=diagnosis.png",),
    "report": ("fontgan report runs=runs/sweep out=report.html",),
    "report blocks": ("fontgan report blocks out=blocks.md", "fontgan report blocks size=128 ngf=64 device=cuda"),
    "vectorize": (
        "fontgan vectorize input=drawn out=drawn.ufo",
        "fontgan vectorize input=drawn target=MyFont.ttf out=drawn.ufo",
    ),
    "build-font": (
        "fontgan build-font input=drawn.ufo target=MyFont.ttf out=MyFont-complete.ttf",
        "fontgan build-font input=my-glyphs/ family='My Hand' out=MyHand.ttf",
    ),
    "proof": ("fontgan proof font=MyFont-complete.ttf target=MyFont.ttf source=NotoSansSC.ttf out=proof.html",),
    "advise": ("fontgan advise target=MyFont.ttf source=NotoSansSC.ttf charset=gb2312-1 n=200 out=advice.txt",),
    "template": (
        "fontgan template chars=gb2312-1 out=sheets.pdf",
        "fontgan template chars=advice.txt font=NotoSansSC.ttf out=sheets.pdf",
    ),
    "scan": ("fontgan scan 'pages=photos/*.jpg' out=my-glyphs",),
    "bench": (
        "fontgan bench",
        "fontgan bench step training=quickstart",
        "fontgan bench out=docs/benchmarks/cpu.json page=docs/benchmarks.md",
        "fontgan bench page out=docs/benchmarks/cpu.json page=docs/benchmarks.md",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb. Returns: the exit code, 0 only if all was done."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if arguments[0] == "--version":
        print(f"fontgan {__version__}")
        return 0
    words = 2 if " ".join(arguments[:2]) in VERBS else 1
    verb, overrides = " ".join(arguments[:words]), arguments[words:]
    if verb not in VERBS:
        return refuse(f"fontgan: {verb}: no such command. Choose one of {', '.join(VERBS)}; see fontgan --help.")
    return run_verb(verb, overrides)


def file_name(verb: str) -> str:
    """What a verb's config, schema and modules are called: ``report blocks`` -> ``report_blocks``."""
    return verb.replace(" ", "_").replace("-", "_")


def run_verb(verb: str, arguments: Sequence[str]) -> int:
    """Runs a verb with its overrides and turns what users can mend into one line."""
    flags = {a for a in arguments if a.startswith("-")}
    overrides = [a for a in arguments if not a.startswith("-")]
    if flags & {"-h", "--help"}:
        print(verb_help(verb))
        return 0
    sweep, verbose, show = flags & {"-m", "--multirun"}, "--verbose" in flags, "--cfg" in flags
    unknown = flags - {"-m", "--multirun", "--verbose", "--cfg"}
    if unknown:
        return refuse(f"fontgan {verb}: {min(unknown)}: no such flag. There are --help, --cfg, --verbose, -m; settings are written key=value.")  # fmt: skip
    if sweep and show:
        return refuse(f"fontgan {verb}: --cfg: shows one run, and -m asks for several. Leave one of them out.")
    if sweep and verb != "train":
        return refuse(f"fontgan {verb}: -m: only fontgan train sweeps.")
    if verb in FIRST_WORD and overrides and "=" not in overrides[0] and not overrides[0].startswith("~"):
        overrides[0] = f"{FIRST_WORD[verb]}={overrides[0]}"
    wrong = [o for o in overrides if "=" not in o and not o.startswith("~")]
    if wrong:
        return refuse(f"fontgan {verb}: {wrong[0]}: settings are written key=value; see fontgan {verb} --help.")
    from fontgan.errors import UserError

    set_up_logging(verbose)
    try:
        if sweep:
            from fontgan.sweep.launcher import launch

            return launch(overrides)
        from fontgan.config.compose import compose_config

        cfg = compose_config(file_name(verb), overrides)
        if show:
            from omegaconf import OmegaConf

            print(OmegaConf.to_yaml(cfg), end="")
            return 0
        return int(importlib.import_module(f"fontgan.commands.{file_name(verb)}").main(cfg))
    except UserError as error:
        return tell(verb, str(error), error, verbose)
    except KeyboardInterrupt:
        print(f"fontgan {verb}: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141  # who reads our output has gone away
    except OSError as error:
        return tell(verb, explain_os_error(error), error, verbose)


def tell(verb: str, message: str, error: Exception, verbose: bool) -> int:
    """Prints an error in one line, or with its trace where that was asked for."""
    if verbose:
        logging.getLogger("fontgan").error("trace", exc_info=error)
    for line in message.splitlines():
        print(one_line(f"fontgan {verb}: error: {' '.join(line.split())}"), file=sys.stderr)
    return 2


def refuse(message: str) -> int:
    """Prints what is wrong with the command line itself."""
    print(one_line(" ".join(message.split())), file=sys.stderr)
    return 2


def explain_os_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    remedy = {
        errno.ENOSPC: "The disk is full; free some space and start again, what was saved before stands.",
        errno.EDQUOT: "The disk quota is used up; free some space and start again, what was saved before stands.",
        errno.EFBIG: "The file would be larger than is allowed here; what was saved before stands.",
        errno.EACCES: "You may not read or write there; choose another folder or change its rights.",
        errno.EROFS: "That place is read-only; choose another folder.",
    }.get(error.errno or 0, "")
    return f"{where}{error.strerror or error}. {remedy}".strip()


def help_text() -> str:
    verbs = "\n".join(f"  {verb:<13} {summary}" for verb, summary in VERBS.items())
    return (
        "fontgan: font style transfer you can train yourself\n\n"
        f"usage: fontgan <verb> [key=value ...]\n\nverbs:\n{verbs}\n\n"
        "fontgan <verb> --help lists the settings of a verb; --cfg prints them as they would be used; "
        "--verbose adds the trace to an error; --version."
    )


def verb_help(verb: str) -> str:
    """Usage, examples, the groups with their variants, and the config file with its comments."""
    from fontgan.config.groups import choices, config_folder, groups

    first = f" [{FIRST_WORD[verb]}]" if verb in FIRST_WORD else ""
    parts = [f"fontgan {verb}: {VERBS[verb]}", f"usage: fontgan {verb}{first} [key=value ...]", "examples:"]
    parts[-1] += "".join(f"\n  {example}" for example in EXAMPLES[verb])
    own = (config_folder() / f"{file_name(verb)}.yaml").read_text(encoding="utf-8")
    shown = [group for group in groups() if f"- {group.partition('/')[0]}:" in own]
    if shown:
        parts.append("groups (group=variant):" + "".join(f"\n  {g:<22} {', '.join(choices(g))}" for g in shown))
    files = [config_folder() / f"{file_name(verb)}.yaml"]
    if "- data:" in own:
        files.append(config_folder() / "data" / "_shared.yaml")
    if verb == "train":
        files += [config_folder() / f for f in HELP_FILES]
    for file in files:
        parts.append(_settings(file))
    return "\n\n".join(parts)


def _settings(file: Path) -> str:
    """A config file without its composition, as ``key: value  # meaning`` lines."""
    from fontgan.config.groups import config_folder

    lines = file.read_text(encoding="utf-8").splitlines()
    kept, skipping = [], False
    for line in lines:
        if line.startswith(("defaults:", "hydra:")):
            skipping = True
        elif line and not line.startswith((" ", "#")):
            skipping = False
        if line.startswith("#") or not line or skipping or "_target_" in line or "_partial_" in line:
            continue
        kept.append(f"  {line}")
    group = (
        "" if file.parent.name == "configs" else file.parent.relative_to(config_folder()).as_posix().replace("/", ".")
    )
    if not group:
        title = "settings:"
    elif file.stem.startswith("_"):
        title = f"{group} settings (written {group}.key=value):"
    else:
        title = f"{group} settings (written {group}.key=value), here of {file.stem}:"
    return "\n".join([title, *kept])


if __name__ == "__main__":
    sys.exit(main())
