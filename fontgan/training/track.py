"""What a run leaves to look at: scores, sheets and TensorBoard logs of held-out characters."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from fontgan.data.batches import gather, pairs_of, to_pixels
from fontgan.data.pack import SOURCE, Pack
from fontgan.files import write_whole
from fontgan.losses import ink_of
from fontgan.metrics.pixels import naive, scores
from fontgan.sheet import contact_sheet, save_png

log = logging.getLogger(__name__)

Scores = dict[str, dict[str, float]]  # style -> score name -> value


class Tracker:
    """Scores and sheets of the held-out characters, written to the run's folder and to TensorBoard.

    Args:
        run: the run's folder.
        draw: (source images, style weights) -> images with the averaged generator.
        sheet_chars: held-out characters on the sheet.
        from_step: what is logged beyond this step (by a run that was cut off) is dropped.
    """

    def __init__(
        self,
        run: Path,
        pack: Pack,
        draw: Callable[[Tensor, Tensor], Tensor],
        *,
        sheet_chars: int,
        from_step: int,
    ):
        self.run = run
        self.pack = pack
        self.draw = draw
        self.from_step = from_step
        self.pairs = pairs_of(pack, pack.held_out)
        self.sheet_chars = self._choose_sheet_chars(sheet_chars)
        self.writer = SummaryWriter(str(run / "tensorboard"), purge_step=from_step + 1 if from_step else None)
        self._drop_lines_after(from_step)

    def close(self) -> None:
        self.writer.close()

    # -- numbers --------------------------------------------------------------------------------

    def scalars(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def evaluate(self, step: int) -> Scores:
        """Scores every held-out pair and appends a line to ``metrics.jsonl``; {} if nothing is held out."""
        if not self.pairs:
            return {}
        batch = gather(self.pack, self.pairs)
        drawn, truth = ink_of(self.draw(batch.source, batch.style)), ink_of(batch.target)
        found = {}
        for name in self.pack.styles:
            of_style = torch.tensor([style == name for style, _ in self.pairs])
            if of_style.any():
                found[name] = scores(drawn[of_style], truth[of_style])
        self._append({"step": step, "kind": "held_out", "styles": found})
        for style, values in found.items():
            self.scalars(step, {f"held_out/{style}/{name}": value for name, value in values.items()})
        return found

    def baselines(self) -> dict[str, Scores]:
        """Scores of the naive ways to draw the held-out pairs: baseline -> style -> score -> value.

        They are written down once, at the run's start.
        """
        found: dict[str, Scores] = {}
        for style in self.pack.styles:
            pairs = [pair for pair in self.pairs if pair[0] == style]
            training = [pair for pair in pairs_of(self.pack, self.pack.trained) if pair[0] == style]
            if not pairs or not training:
                continue
            batch = gather(self.pack, pairs)
            for name, ink in naive(ink_of(batch.source), ink_of(gather(self.pack, training).target)).items():
                found.setdefault(name, {})[style] = scores(ink, ink_of(batch.target))
        for name, by_style in found.items() if self.from_step == 0 else ():
            self._append({"step": 0, "kind": f"baseline/{name}", "styles": by_style})
            for style, values in by_style.items():
                self.scalars(0, {f"baseline/{name}/{style}/{k}": v for k, v in values.items()})
        return found

    # -- pictures -------------------------------------------------------------------------------

    def sheet(self, step: int) -> None:
        """Draws source | generated | truth of the same held-out characters into ``sheets/`` and TensorBoard."""
        if not self.sheet_chars:
            return
        rows: list[tuple[str, list[np.ndarray]]] = [
            ("source", [self.pack.pixels[self.pack.rows[SOURCE][char]] for char in self.sheet_chars])
        ]
        for style in self.pack.styles:
            there = [char for char in self.sheet_chars if char in self.pack.rows[style]]
            if not there:
                continue
            batch = gather(self.pack, [(style, char) for char in there])
            drawn = dict(zip(there, to_pixels(self.draw(batch.source, batch.style)), strict=True))
            empty = np.full((self.pack.size, self.pack.size), 236, np.uint8)
            rows.append((f"{style} drawn", [drawn.get(char, empty) for char in self.sheet_chars]))
            rows.append(
                (
                    f"{style} true",
                    [
                        self.pack.pixels[self.pack.rows[style][char]] if char in drawn else empty
                        for char in self.sheet_chars
                    ],
                )
            )
        image = contact_sheet(rows)
        folder = self.run / "sheets"
        folder.mkdir(exist_ok=True)
        save_png(image, folder / f"step-{step:08d}.png")
        save_png(image, self.run / "sheet.png")
        self.writer.add_image("held_out/sheet", np.asarray(image)[None], step)

    def _choose_sheet_chars(self, count: int) -> list[str]:
        """Held-out characters spread over the charset, those that every style has first.

        Where nothing is held out, training characters: better than no picture at all.
        """
        held_out = self.pack.held_out
        in_all = [c for c in held_out if all(c in self.pack.rows[s] for s in self.pack.styles)]
        pool = in_all or held_out or self.pack.trained
        if len(pool) <= count:
            return pool
        return [pool[i * len(pool) // count] for i in range(count)]

    # -- files ----------------------------------------------------------------------------------

    def _append(self, line: dict[str, Any]) -> None:
        with (self.run / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _drop_lines_after(self, step: int) -> None:
        """A resumed run writes its later lines again; without this they would be there twice."""
        file = self.run / "metrics.jsonl"
        if file.is_file():
            kept = []
            for line in file.read_text(encoding="utf-8").splitlines():
                try:
                    if json.loads(line)["step"] <= step and step > 0:
                        kept.append(line)
                except ValueError:
                    log.warning("%s: dropped a half-written line", file)
            write_whole(file, "".join(line + "\n" for line in kept))


def say_scores(found: Scores, baselines: dict[str, Scores]) -> str:
    """One line: each style's L1, RMSE and SSIM, beside the best naive baseline's."""
    parts = []
    for style, values in found.items():
        naive_best = {
            key: pick(by_style[style][key] for by_style in baselines.values())
            for key, pick in (("l1", min), ("rmse", min), ("ssim", max))
        }
        text = " ".join(f"{key} {values[key]:.3f} ({naive_best[key]:.3f})" for key in ("l1", "rmse", "ssim"))
        parts.append(f"{style}: {text}" + (f", {values['blank']:.0%} blank" if values["blank"] else ""))
    return "; ".join(parts)
