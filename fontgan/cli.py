"""fontgan <verb> [overrides]: the command line.

Only what a verb needs is imported, so that ``fontgan --help`` answers at once; verbs describe themselves.
"""

import errno
import inspect
import logging
import re
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from types import ModuleType

from fontgan import __version__
from fontgan.config.verbs import file_name, verbs
from fontgan.data.name_reading import AUTO, names_read_as
from fontgan.errors import UserError, one_line
from fontgan.runtime.log_setup import set_up_logging
from fontgan.runtime.process_groups import break_like_ctrl_c


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb. Returns: the exit code, 0 only if all was done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal of Windows may know no 字, and is told \u5b57
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return run(arguments)
    except ModuleNotFoundError as error:  # in a checkout whose dependencies are not installed
        if "--verbose" in arguments or str(error.name).startswith("fontgan"):
            raise
        return refuse(f"fontgan: {not_installed(error)}")


def run(arguments: list[str]) -> int:
    """Runs one verb, whose name comes first."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(help_text())
        return 0
    if arguments[0] == "--version":
        print(f"fontgan {__version__}")
        return 0
    if arguments[0] == "doctor" and not can_compose():
        from fontgan.doctor.examine import healthy, print_page

        if arguments[1:]:
            refuse(
                f"fontgan doctor: settings cannot be read where a package is broken; without {' '.join(arguments[1:])}:"
            )
        return 0 if healthy(print_page()) else 1
    words = 2 if " ".join(arguments[:2]) in verbs() else 1
    verb, overrides = " ".join(arguments[:words]), arguments[words:]
    if verb not in verbs():
        return refuse(f"fontgan: {verb}: no such command. Choose one of {', '.join(verbs())}; see fontgan --help.")
    return run_verb(verb, overrides)


def can_compose() -> bool:
    """Whether what verbs and configs need can be imported: ``fontgan doctor`` answers even where it cannot."""
    try:
        import fontgan.config.compose  # noqa: F401

        verbs()
    except Exception:  # noqa: BLE001  # a broken package may raise anything; doctor's page says what it was
        return False
    return True


def run_verb(verb: str, arguments: Sequence[str]) -> int:
    """Runs a verb with its overrides and turns what users can mend into one line."""
    module, flags = verbs()[verb], {a for a in arguments if a.startswith("-")}
    overrides = [a for a in arguments if not a.startswith("-")]
    show_help, sweep = bool(flags & {"-h", "--help"}), bool(flags & {"-m", "--multirun"})
    verbose, show = "--verbose" in flags, "--cfg" in flags
    first = overrides[0] if overrides else "="
    if hasattr(module, "FIRST_WORD") and "=" not in first and not re.match(r"~[^/\\]", first):  # ~key, but ~/folder
        overrides[0] = f"{module.FIRST_WORD}={overrides[0]}"
    if wrong := misuse(verb, flags, overrides):
        return refuse(f"fontgan {verb}: {wrong}")
    set_up_logging(verbose)
    break_like_ctrl_c()
    try:
        if show_help:
            print(verb_help(verb, overrides, sweep=sweep))
            return 0
        if sweep:
            from fontgan.sweep.launcher import launch

            return launch(overrides)
        from fontgan.config.compose import compose_config

        cfg = compose_config(file_name(verb), overrides)
        if show:
            from omegaconf import OmegaConf

            print(OmegaConf.to_yaml(cfg), end="")
            return 0
        typed = {override.partition("=")[0].lstrip("+~") for override in overrides}
        with names_read_as(cfg.data.names if "data" in cfg else cfg.get("names", AUTO)):
            return int(module.main(cfg, typed=typed) if takes_typed(module) else module.main(cfg))
    except UserError as error:
        return tell(verb, str(error), error, verbose)
    except KeyboardInterrupt:
        print(f"fontgan {verb}: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141  # who reads our output has gone away
    except OSError as error:
        return tell(verb, explain_os_error(error), error, verbose)


def takes_typed(module: ModuleType) -> bool:
    """Whether a verb asks which settings were typed."""
    return "typed" in inspect.signature(module.main).parameters


def misuse(verb: str, flags: set[str], overrides: list[str]) -> str:
    """What is wrong with the command line itself, empty if nothing is."""
    sweep = flags & {"-m", "--multirun"}
    if unknown := flags - {"-h", "--help", "-m", "--multirun", "--verbose", "--cfg"}:
        known = "There are --help, --cfg, --verbose, -m; settings are written key=value."
        return f"{min(unknown)}: no such flag. {known}"
    if sweep and "--cfg" in flags:
        return "--cfg: shows one run, and -m asks for several. Leave one of them out."
    if sweep and verb != "train":
        return "-m: only fontgan train sweeps."
    wrong = [o for o in overrides if "=" not in o and not o.startswith("~")]
    return f"{wrong[0]}: settings are written key=value; see fontgan {verb} --help." if wrong else ""


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


def not_installed(error: ModuleNotFoundError) -> str:
    remedy = "Install fontgan again, with what it depends on."
    if (root := Path(__file__).parents[1] / "Makefile").is_file():
        remedy = f"In {root.parent}, run make install and then .venv/bin/fontgan; or {sys.executable} -m pip install ."
    return f"{error.name} is not installed in {sys.executable}. {remedy}"


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
    listed = "\n".join(f"  {verb:<13} {module.SUMMARY}" for verb, module in verbs().items())
    return (
        "fontgan: font style transfer you can train yourself\n\n"
        f"usage: fontgan <verb> [key=value ...]\n\nverbs:\n{listed}\n\n"
        "fontgan <verb> --help lists the settings of a verb; --cfg prints them as they would be used; "
        "--verbose adds the trace to an error; --version."
    )


def verb_help(verb: str, overrides: Sequence[str] = (), *, sweep: bool = False) -> str:
    """Usage, examples, the groups with their variants, and the settings as the overrides leave them."""
    from fontgan.config.help import list_settings

    module = verbs()[verb]
    first = f" [{module.FIRST_WORD}]" if hasattr(module, "FIRST_WORD") else ""
    examples = "\n".join(f"  {example}" for example in module.EXAMPLES)
    return (
        f"fontgan {verb}: {module.SUMMARY}\n\nusage: fontgan {verb}{first} [key=value ...]\n\nexamples:\n{examples}\n\n"
        f"{list_settings(file_name(verb), overrides, sweep=sweep)}"
    )


if __name__ == "__main__":
    sys.exit(main())
