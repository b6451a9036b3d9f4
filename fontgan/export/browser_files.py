"""What a page runs in the visitor's browser: onnxruntime, and two small libraries, from npm.

They are fetched once, by the ordinary client, checked against the hashes below and kept in the user's cache. A page holds
copies, so that it asks nobody for anything.
"""

import logging
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

from fontgan.data.npm import check_hash, npm_files
from fontgan.errors import RunError
from fontgan.runtime.files import atomic_write, cache_folder

log = logging.getLogger(__name__)


class Package(NamedTuple):
    """An npm package and the sha256 of those of its files that are used; ``licence``: its file of terms, if it has one."""

    name: str  # name@version
    files: dict[str, str]
    licence: str = ""


# The two builds of onnxruntime: the one for WebGPU is twice as large, and a browser without it never asks for it.
ONNXRUNTIME = Package(
    "onnxruntime-web@1.30.0",
    {
        "dist/ort.wasm.bundle.min.mjs": "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
        "dist/ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
        "dist/ort.webgpu.bundle.min.mjs": "0730816731ce2cdfb06f273da065d4a1c7091eb9d1756a83b2916c8a89d015e2",
        "dist/ort-wasm-simd-threaded.asyncify.wasm": "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
    },
)
FIT_CURVE = Package(
    "fit-curve@0.2.0",
    {"lib/fit-curve.min.js": "7777966205fa9b1eaf50de7761d9be9f988b388649eb6b942ceb155ca4020f56"},
    "LICENSE",
)
OPENTYPE = Package(
    "opentype.js@2.0.0",
    {"dist/opentype.min.js": "b39d7bf9661481cec5c118a0d92b02951171d99c30d4d11252a72ecb0285439e"},
    "LICENSE",
)
PACKAGES = (ONNXRUNTIME, FIT_CURVE, OPENTYPE)


def browser_file(package: Package, name: str) -> bytes:
    """A file of a package. Raises: DataError if it is not here and cannot be fetched."""
    return (_folder(package) / Path(name).name).read_bytes()


def licences() -> dict[str, bytes]:
    """The terms of all three, by the name of a file for them. Raises: RunError if onnxruntime's Python package has none."""
    found = {f"{p.name.rpartition('@')[0]}.LICENSE.txt": browser_file(p, p.licence) for p in PACKAGES if p.licence}
    # The npm package of onnxruntime has no file of its terms; the Python package of the same project does.
    root = Path(str(distribution("onnxruntime").locate_file("onnxruntime")))
    for name in ("LICENSE", "ThirdPartyNotices.txt"):
        try:
            found[f"onnxruntime-web.{name.removesuffix('.txt')}.txt"] = (root / name).read_bytes()
        except OSError as error:
            raise RunError(
                f"{root / name}: is not there, and a page must hold it. Install onnxruntime anew."
            ) from error
    return found


def _folder(package: Package) -> Path:
    """Where a package's files lie; fetches those that lack."""
    folder = cache_folder(None) / "npm" / package.name
    names = [*package.files, *([package.licence] if package.licence else [])]
    if all((folder / Path(name).name).is_file() for name in names):
        return folder
    log.info("page: fetching %s by npm, once", package.name)
    folder.mkdir(parents=True, exist_ok=True)
    fetched = dict(zip(names, npm_files(package.name, names, "page"), strict=True))
    for name, sha256 in package.files.items():
        check_hash(fetched[name], sha256, f"page: {name} of {package.name}", kind="file")
    for name, data in fetched.items():
        atomic_write(folder / Path(name).name, data)
    return folder
