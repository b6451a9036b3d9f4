"""Writes docs/reference/licences.md: the licence of everything that an installation of fontgan brings.

    python scripts/make_licences.py

It reads what the packages beside this Python state of themselves, so it is run where ``make`` has installed all extras,
and prints how much each extra takes on the disk, for the table of docs/reference/dependencies.md.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fontgan.cli import not_installed  # noqa: E402

try:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    from tests.versions import declared
except ModuleNotFoundError as error:
    sys.exit(f"scripts/make_licences.py: {not_installed(error)}")

PAGE = ROOT / "docs" / "reference" / "licences.md"
# Which extras a section of the page is about; what an earlier one has is not said again.
SECTIONS: dict[str, Callable[[str], bool]] = {
    "Always": lambda extra: not extra,
    "With an extra": lambda extra: extra not in ("", "dev"),
    "Only to work on fontgan": lambda extra: extra == "dev",
}

# A licence not in this list is one to read before it comes in.  LGPL, MPL: used as they come, unchanged.
FAMILIES = {
    "Apache": r"apache",
    "BSD": r"\b0?bsd",
    "MIT": r"\bmit\b",
    "MPL": r"\bmpl|mozilla public",
    "LGPL": r"\blgpl|lesser general public",
    "PSF": r"\bpsf|python software foundation",
    "ISC": r"\bisc\b",
    "Zlib": r"\bzlib\b",
    "BSL": r"\bbsl-1",
    "CC0": r"\bcc0",
    "NVIDIA": r"nvidia",
}
# Not installed where the page is made, or without a word of it in the metadata; read from the sources.
READ = {
    "atheris": "Apache-2.0",
    "cuda-toolkit": "none: it has no files, and names NVIDIA's packages",
}
ABOUT = """# Licences

Everything that an installation of fontgan brings, and the licence that each package states in its own metadata. Read on Linux with
Python {python}, with all extras: on Windows and macOS, and with PyTorch's builds for the CPU, the packages of CUDA (`nvidia-*`, `cuda-*`,
`triton`) do not come, and on Windows `colorama` (BSD-3-Clause) does. The versions are those that fontgan allows, and of what it does not
ask for itself those that all who do allow. Made by `python scripts/make_licences.py`.

fontgan changes none of them and hands none of them on: pip fetches each from where its authors publish it. A container image that you
build of the `Dockerfile` holds them; who passes the image on passes them on, each with its licence in its `dist-info` folder.
What fontgan's own package brings besides code, fonts and two small networks, stands in `fontgan/assets/` with its licences.
"""


def families(licence: str) -> set[str]:
    """The kinds of licence that a text names."""
    return {family for family, pattern in FAMILIES.items() if re.search(pattern, licence, re.IGNORECASE)}


def licence_of(name: str) -> str | None:
    """The licence that an installed package states in its metadata, "" for none; None if it is not installed."""
    try:
        about: Any = importlib.metadata.metadata(name)  # an email.message.Message
    except importlib.metadata.PackageNotFoundError:
        return None
    classifiers = [
        text.split(" :: ")[-1] for text in about.get_all("Classifier") or [] if text.startswith("License ::")
    ]
    first_line = (about.get("License") or "").strip().partition("\n")[0]
    stated = (about.get("License-Expression") or "", first_line if len(first_line) < 80 else "", ", ".join(classifiers))
    return next((text for text in stated if families(text)), "")


def needed(requirements: Iterable[tuple[str, Requirement]]) -> dict[str, dict[str, Requirement]]:
    """All that pip installs here for the requirements of fontgan: of each package, who asks for it, and how.

    Args:
        requirements: each with its extra, or "".
    """
    found: dict[str, dict[str, Requirement]] = defaultdict(dict)
    to_do = [(f"the extra `{extra}`" if extra else "fontgan", requirement) for extra, requirement in requirements]
    seen = set()
    while to_do:
        asker, requirement = to_do.pop()
        name = canonicalize_name(requirement.name)
        found[name][asker] = requirement
        for extra in requirement.extras or {""}:
            if (name, extra) in seen or licence_of(name) is None:
                continue
            seen.add((name, extra))
            for line in importlib.metadata.requires(name) or []:
                below = Requirement(line)
                if below.marker is None or below.marker.evaluate({"extra": extra}):
                    to_do.append((f"`{name}`", below))
    return found


def allowed(askers: dict[str, Requirement]) -> str:
    """The versions that fontgan allows; of what it does not ask for itself, those that all who do allow.

    A bound that another makes idle is left out.
    """
    own = [requirement for asker, requirement in askers.items() if not asker.startswith("`")]
    parts = {part for requirement in own or askers.values() for part in requirement.specifier}
    lower = sorted((part for part in parts if part.operator in (">=", ">")), key=lambda part: Version(part.version))
    upper = sorted((part for part in parts if part.operator in ("<=", "<")), key=lambda part: Version(part.version))
    others = sorted(parts - {*lower, *upper}, key=str)
    bounds = ",".join(map(str, [*lower[-1:], *upper[:1], *others]))
    return f"`{bounds}`" if bounds else "any"


def rows(packages: dict[str, dict[str, Requirement]]) -> Iterator[str]:
    for name, askers in sorted(packages.items()):
        licence = READ.get(name) or licence_of(name)
        assert licence, f"{name}: its licence is not known; read its sources and add it to READ"
        yield f"| `{name}` | {allowed(askers)} | {', '.join(sorted(askers, reverse=True))} | {licence} |"


def page() -> str:
    """The page, newly made."""
    text = ABOUT.format(python=".".join(map(str, sys.version_info[:2])))
    told: set[str] = set()
    for title, of_it in SECTIONS.items():
        packages = needed((extra, requirement) for extra, requirement in declared() if of_it(extra))
        more = {name: askers for name, askers in packages.items() if name not in told}
        told |= set(more)
        head = f"\n## {title}\n\n| package | versions | asked for by | licence |\n| --- | --- | --- | --- |\n"
        text += head + "\n".join(rows(more)) + "\n"
    return text


def megabytes(names: set[str]) -> float:
    """What the installed packages take on the disk."""
    files = (file for name in names if licence_of(name) is not None for file in importlib.metadata.files(name) or [])
    return sum(file.size or 0 for file in files) / 1e6


def main() -> int:
    PAGE.write_text(page(), encoding="utf-8")
    always = set(needed(part for part in declared() if not part[0]))
    print(f"always: {megabytes(always):,.0f} MB")
    for extra in dict.fromkeys(extra for extra, _ in declared() if extra):
        more = set(needed(part for part in declared() if part[0] == extra)) - always
        print(f"{extra}: {megabytes(more):,.0f} MB more, {len(more)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
