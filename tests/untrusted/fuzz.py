"""Coverage-guided fuzzing of the readers: the extra ``fuzz``, then ``python -m tests.untrusted fuzz images``.

The fuzzer changes files so that ever more of our Python code and Pillow's runs, and stops at the first exception that is
no refusal, the first second too many and the first gibibyte too many; what it stopped at is left in ``--keep``.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

Target = Callable[[bytes], None]
INSTRUMENTED = [
    "fontgan.data",
    "fontgan.runtime.files",
    "fontgan.runtime.checksums",
    "fontgan.handwriting.pictures",
    "PIL",
]
MAX_SECONDS, MAX_MIB = 10, 3072  # of one file, on a busy machine; of the process


def images(folder: Path) -> tuple[Target, Iterator[bytes]]:
    from fontgan.data.reading import ImageReader
    from fontgan.errors import DataError
    from fontgan.handwriting.pictures import read_picture

    from . import images as corpus

    file = folder / "U+4E00.png"

    def one(data: bytes) -> None:
        # Most changed PNGs fail their checksums: with these mended, what lies behind is reached as well.
        for content in [data, mended(data)] if data.startswith(b"\x89PNG\r\n\x1a\n") else [data]:
            file.write_bytes(content)
            try:
                grey, _ = ImageReader().read(file)
                assert grey.dtype == "uint8"
                assert grey.ndim == 2
            except DataError as error:
                check_line(error)
            try:
                for _ in read_picture(file):
                    pass
            except DataError:
                pass

    return one, (case.data for make in corpus.GROUPS.values() for case in make() if len(case.data) < 20_000)


def mended(data: bytes) -> bytes:
    """A PNG with the checksums that its chunks should have."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        end = at + 8 + struct.unpack_from(">I", out, at)[0]
        if end + 4 > len(out):
            break
        struct.pack_into(">I", out, end, zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)


def manifest(folder: Path) -> tuple[Target, Iterator[bytes]]:
    from PIL import Image

    from fontgan.data.frame import Frame
    from fontgan.data.image_source import MANIFEST, FolderGlyphs
    from fontgan.errors import DataError
    from fontgan.fontfile.metrics import choose_layout

    Image.new("L", (8, 8), 255).save(folder / "一.png")
    frame = {"scale": 50.0, "dx": 3.0, "dy": -4.0}
    seed = {
        "size": 64, "cell_to_canvas": frame, "to_cell": {"units_per_em": 1000, "baseline": 880}, "advances": {"一": 1000},
        "font": {"to_cell": None},
    }  # fmt: skip

    def one(data: bytes) -> None:
        (folder / MANIFEST).write_bytes(data)
        for read in (lambda: FolderGlyphs(folder).rasterize("一", Frame(64.0), 64), lambda: choose_layout(folder)):
            try:
                read()
            except DataError as error:
                check_line(error)

    return one, iter([json.dumps(seed).encode(), json.dumps({"size": 8, "cell_to_canvas": frame}).encode()])


PARTS = b"\n<next file>\n"  # between the files of a pack that are fuzzed as one


def pack(folder: Path) -> tuple[Target, Iterator[bytes]]:
    """The index, the checksums and a shard, as they come and with the sums that the index should have."""

    from fontgan.data.pack import open_pack
    from fontgan.data.pack_shards import SUMS, shard_name
    from fontgan.errors import DataError
    from fontgan.runtime.checksums import SEAL, file_sum, sealed
    from fontgan.untrusted.plain_json import read_json

    from .small_pack import write_small_pack

    names = ["index.json", SUMS, shard_name(0)]
    write_small_pack(folder, shard_rows=3)
    seed = PARTS.join((folder / name).read_bytes() for name in names)

    def read() -> None:
        try:
            opened = open_pack(folder)
            opened.pixels.verify()
            for rows in opened.rows.values():
                assert [rows[char] for char in rows] == rows.find(list(rows)).tolist() or len(set(rows)) < len(rows)
        except DataError as error:
            check_line(error)

    def one(data: bytes) -> None:
        contents = [*data.split(PARTS), b"", b""][:3]
        for name, content in zip(names, contents, strict=True):
            (folder / name).write_bytes(content)
        read()
        try:
            index = read_json(folder / "index.json")
        except ValueError:
            return
        if isinstance(index, dict):
            index.pop(SEAL, None)
            (folder / "index.json").write_text(sealed(index | {"checksums": file_sum(contents[1])}), encoding="utf-8")
            read()

    return one, iter([seed, seed.replace(b'"format": 3', b'"format": 2')])


def check_line(error: Exception) -> None:
    assert str(error).isprintable(), str(error)


def main(arguments: Sequence[str]) -> int:
    """Returns: 0 if nothing was found in the time given."""
    targets = {function.__name__: function for function in (images, manifest, pack)}
    parser = argparse.ArgumentParser(prog="python -m tests.untrusted fuzz", description=__doc__)
    parser.add_argument("what", choices=sorted(targets))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--keep", type=Path, help="a folder for the files that were found to reach more, and findings")
    asked = parser.parse_args(arguments)
    try:
        import atheris
    except ImportError:
        from fontgan.extras import how_to_install

        sys.exit(f"fuzzing needs atheris. Run {how_to_install('fuzz')}.")
    keep = asked.keep or Path(tempfile.mkdtemp(prefix="fontgan-fuzz-"))
    (keep / "corpus").mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        one, seeds = targets[asked.what](Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)))
    for number, data in enumerate(seeds):
        (keep / "corpus" / f"seed-{number:04d}").write_bytes(data)
    options = [
        f"-max_total_time={asked.seconds}", f"-timeout={MAX_SECONDS}", f"-rss_limit_mb={MAX_MIB}", "-max_len=20000",
        f"-artifact_prefix={keep}/", "-print_final_stats=1", "-verbosity=1", str(keep / "corpus"),
    ]  # fmt: skip
    print(f"files that reach more, and findings: {keep}", file=sys.stderr)
    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()
    return 0
