"""Makes of a trained run the base model that fontgan brings: fontgan/assets/base.

    python scripts/make_base.py RUN CORPUS [OUT]

RUN is a run of ``experiment=base``, CORPUS the folder of ``scripts/corpus.py`` that it learned from; OUT is another folder
to write to, which ``init_from=OUT`` then takes.  Of the run's last checkpoint the averaged generator is kept, in half
precision where no drawn glyph changes by more than one level of grey.
"""

from __future__ import annotations

import csv
import sys
from itertools import chain
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fontgan.cli import not_installed  # noqa: E402

try:
    import numpy as np
    import torch
    from fontTools.ttLib import TTFont
    from omegaconf import OmegaConf
    from PIL.Image import Image
    from torch import Tensor

    from fontgan.base import FOLDER
    from fontgan.config.instantiate import target_specs
    from fontgan.errors import RunError, UserError
    from fontgan.generate.inference import Run, load
    from fontgan.runtime.checksums import file_sum, sealed
    from fontgan.runtime.files import as_utf8, atomic_write, user_path
    from fontgan.training import tensors_io
    from fontgan.training.checkpoint import Checkpoint, open_checkpoint
    from fontgan.training.run_json import FORMAT
except ModuleNotFoundError as error:
    sys.exit(f"scripts/make_base.py: {not_installed(error)}")

CHARS = "永国的我是书东爱凿矗"  # drawn in every style to compare
MAX_BYTES = 20_000_000


def in_half(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions and tables in half precision; what there is one number a channel of stays whole."""
    return {
        name: tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor
        for name, tensor in tensors.items()
    }


def largest_change(run: Run, tensors: dict[str, Tensor]) -> int:
    """Levels of grey, of 255, by which any pixel changes if the run's generator has these weights instead."""
    whole = run.generator.state_dict()

    def drawn(by: Run) -> dict[str, list[Image]]:
        return {
            style: by.draw(CHARS, style, font="shelf:sans", view=by.view(style, extent="canvas")) for style in by.styles
        }

    before = drawn(run)
    changed = load(run.checkpoint.folder, device="cpu", precision="fp32")
    changed.generator.load_state_dict({name: tensor.to(whole[name].dtype) for name, tensor in tensors.items()})
    pairs = zip(chain(*before.values()), chain(*drawn(changed).values()), strict=True)
    return max(int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max()) for one, other in pairs)


def write_base(found: Checkpoint, tensors: dict[str, Tensor], out: Path) -> None:
    """Puts the checkpoint into the package, without what only a resumed training would read."""
    config: Any = OmegaConf.create(found.read("config.yaml").decode())
    for name, target in target_specs(config).items():  # not where they lay on this machine
        own = {"font": f"corpus/training/{Path(target.spec).name}"}
        config.data.targets[name] = own | ({"source": target.source} if target.source else {})
    config.out, config.init_from, config.corpus = "runs/base", None, "corpus"
    contents = {
        "generator.safetensors": tensors_io.to_bytes(tensors),
        "config.yaml": as_utf8(OmegaConf.to_yaml(config, resolve=True)),
    }
    told = {
        key: value
        for key, value in found.metadata.items()
        if key not in ("init_from", "sha256", "files", "format", "step")
    }
    told["data"] = {key: value for key, value in told["data"].items() if key != "findings"}
    files = {name: file_sum(data) for name, data in contents.items()}
    contents["run.json"] = as_utf8(sealed({"format": FORMAT, "step": found.step, **told, "files": files}))
    out.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        atomic_write(out / name, data)


def notice(corpus: Path, styles: list[str]) -> str:
    """Every font that was learned from, with its licence and those who made it. Raises: RunError if one is not listed."""
    with (corpus / "manifest.csv").open(encoding="utf-8", newline="") as table:
        listed = {row["name"]: row for row in csv.DictReader(table)}
    lines = [
        "The base model in this folder has learned from the fonts below, and holds no outline or image of them.",
        "Their licences are those of the packages named, whose texts scripts/corpus.py keeps beside each font.",
        "",
    ]
    for style in styles:
        if style not in listed:
            raise RunError(f"{corpus / 'manifest.csv'}: lacks {style}. Give the corpus that the run learned from.")
        row, names = listed[style], TTFont(corpus / "training" / f"{style}.ttf", lazy=True)["name"]
        told = {" ".join(text.split()) for number in (0, 8, 9) if (text := names.getDebugName(number))}
        lines += [
            f"{style}: {row['family']}, {row['package']}, {row['licence']}",
            *(f"    {text}" for text in sorted(told)),
        ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    if len(arguments) not in (2, 3) or arguments[0].startswith("-"):
        sys.exit(__doc__)
    out = user_path(arguments[2]) if len(arguments) == 3 else FOLDER
    torch.set_num_threads(1)
    run = load(user_path(arguments[0]), which="last", device="cpu", precision="fp32")
    whole = run.checkpoint.tensors("generator")
    halved = in_half(whole)
    change = largest_change(run, halved)
    write_base(run.checkpoint, halved if change <= 1 else whole, out)
    atomic_write(out / "NOTICE", notice(user_path(arguments[1]), run.styles))
    size = sum(file.stat().st_size for file in out.iterdir())
    open_checkpoint(out).verify()
    kept = "in half precision" if change <= 1 else "whole"
    print(
        f"{out}: {len(run.styles)} styles, {size / 1e6:.1f} MB; half precision changes {change} levels of grey; kept {kept}"
    )
    if size > MAX_BYTES:
        sys.exit(f"scripts/make_base.py: {size} bytes are more than a package should hold ({MAX_BYTES}).")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(f"scripts/make_base.py: {error}")
