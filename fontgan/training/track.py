"""What a run leaves to look at: scores, sheets and TensorBoard logs of held-out characters."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from fontgan.data.batches import GlyphBatch, gather, pairs_of, to_pixels
from fontgan.data.pack import SOURCE, Pack
from fontgan.distributed import from_all, is_main, share_of
from fontgan.files import write_whole
from fontgan.losses import ink_of
from fontgan.metrics.pixels import NAIVE, scores
from fontgan.sheet import contact_sheet, save_png

log = logging.getLogger(__name__)

SCORED_AT_ONCE = 64  # glyphs

Scores = dict[str, dict[str, float]]  # style -> score name -> value


class Tracker:
    """Scores and sheets of the held-out characters, written to the run's folder and to TensorBoard.

    Where several processes train together, each has one and scores its share of the glyphs; the main one alone writes.

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
        self.writer: SummaryWriter | None = None
        if is_main():
            self.writer = SummaryWriter(str(run / "tensorboard"), purge_step=from_step + 1 if from_step else 0)
            self._drop_lines_after(from_step)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()

    # -- numbers --------------------------------------------------------------------------------

    def scalars(self, step: int, values: dict[str, float]) -> None:
        if self.writer is None:
            return
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def config(self, step: int, config_yaml: str) -> None:
        if self.writer is not None:
            self.writer.add_text("config", f"```yaml\n{config_yaml}\n```", step)

    def result(self, step: int, settings: dict[str, str | int | float | bool], last: Scores, best: Scores) -> None:
        """What TensorBoard's HParams tab compares runs by: settings, and the mean scores over styles.

        Args:
            last, best: scores of the last and of the best checkpoint; {} where nothing is held out.
        """
        found = {
            f"{when}/{key}": sum(style[key] for style in scored.values()) / len(scored)
            for when, scored in (("last", last), ("best", best))
            if scored
            for key in ("l1", "ssim")
        }
        if self.writer is None:
            return
        for summary in hparams(settings, found):  # type: ignore[no-untyped-call]
            self.writer.file_writer.add_summary(summary)  # type: ignore[attr-defined]
        self.scalars(step, found)

    def evaluate(self, step: int) -> Scores:
        """Scores every held-out pair and appends a line to ``metrics.jsonl``; {} if nothing is held out.

        Returns: the same in every process.
        """
        found = {}
        for style in self.pack.styles:
            pairs = [pair for pair in self.pairs if pair[0] == style]
            if pairs:
                found[style] = self._score(pairs, lambda batch: ink_of(self.draw(batch.source, batch.style)))
        if found:
            self._append({"step": step, "kind": "held_out", "styles": found})
        for style, values in found.items():
            self.scalars(step, {f"held_out/{style}/{name}": value for name, value in values.items()})
        return found

    def baselines(self) -> dict[str, Scores]:
        """Scores of the naive ways to draw the held-out pairs: baseline -> style -> score -> value.

        They are written down once, at the run's first evaluation.
        """
        file = self.run / "metrics.jsonl"
        known = is_main() and file.is_file() and '"kind": "baseline/' in file.read_text(encoding="utf-8")
        found: dict[str, Scores] = {}
        for style in self.pack.styles:
            pairs = [pair for pair in self.pairs if pair[0] == style]
            if not pairs:
                continue
            mean = self._mean_training_glyph(style)
            for name, draw in NAIVE.items():
                found.setdefault(name, {})[style] = self._score(pairs, partial(_naive_ink, draw, mean))
        for name, by_style in found.items() if not known else ():
            log.info("naive answer %s: %s", name.replace("_", " "), say_scores(by_style, {}))
            self._append({"step": 0, "kind": f"baseline/{name}", "styles": by_style})
            for style, values in by_style.items():
                self.scalars(0, {f"baseline/{name}/{style}/{k}": v for k, v in values.items()})
        return found

    def _score(self, pairs: list[tuple[str, str]], draw: Callable[[GlyphBatch], Tensor]) -> dict[str, float]:
        """Mean scores over pairs, a few at a time, so that memory does not grow with their number.

        Each process draws its share of them, and the totals of all are summed.
        """
        totals: dict[str, float] = {}
        mine = share_of(pairs)
        for start in range(0, len(mine), SCORED_AT_ONCE):
            batch = gather(self.pack, mine[start : start + SCORED_AT_ONCE])
            for name, value in scores(draw(batch), ink_of(batch.target)).items():
                totals[name] = totals.get(name, 0.0) + value * len(batch.names)
        everyone = [of_one for of_one in from_all(totals) if of_one]  # of few pairs, a process may have none
        return {name: sum(of_one[name] for of_one in everyone) / len(pairs) for name in everyone[0]}

    def _mean_training_glyph(self, style: str) -> Tensor:
        """(1, H, W) ink."""
        rows = [self.pack.rows[style][char] for char in self.pack.trained if char in self.pack.rows[style]]
        total = np.zeros((self.pack.size, self.pack.size))
        for start in range(0, len(rows), SCORED_AT_ONCE):
            total += self.pack.pixels[rows[start : start + SCORED_AT_ONCE]].sum(axis=0, dtype=np.float64)
        return torch.from_numpy(1 - total / (255 * max(1, len(rows)))).float()[None]

    # -- pictures -------------------------------------------------------------------------------

    def sheet(self, step: int) -> None:
        """Draws source | generated | truth of the same held-out characters into ``sheets/`` and TensorBoard."""
        if not self.sheet_chars or self.writer is None:
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
        if not is_main():
            return
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


def _naive_ink(draw: Callable[[Tensor, Tensor], Tensor], mean: Tensor, batch: GlyphBatch) -> Tensor:
    return draw(ink_of(batch.source), mean)


def say_scores(found: Scores, baselines: dict[str, Scores]) -> str:
    """One line: each style's L1, RMSE and SSIM, in brackets the best of the baselines if there are any."""
    parts = []
    for style, values in found.items():
        texts = []
        for key, pick in (("l1", min), ("rmse", min), ("ssim", max)):
            best = pick((by_style[style][key] for by_style in baselines.values()), default=None)
            texts.append(f"{key} {values[key]:.3f}" + ("" if best is None else f" ({best:.3f})"))
        parts.append(f"{style}: {' '.join(texts)}" + (f", {values['blank']:.0%} blank" if values["blank"] else ""))
    return "; ".join(parts)
