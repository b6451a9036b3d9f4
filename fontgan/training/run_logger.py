"""What a run leaves to look at: scores, sheets and TensorBoard logs of held-out characters."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from fontgan.data.batches import GlyphBatch, collate_pairs, pairs_of
from fontgan.data.pack import SOURCE, Pack
from fontgan.metrics.pixels import BASELINES, blank, scores
from fontgan.pictures.contact_sheet import SHEET_GREY, contact_sheet, save_png
from fontgan.runtime.distributed import all_gather, is_main, share_of
from fontgan.runtime.files import atomic_write
from fontgan.training.monitor import Drawn
from fontgan.values import ink_from_image, pixels_from_image

log = logging.getLogger(__name__)

SCORED_AT_ONCE = 64  # glyphs
MAX_LINE_BYTES = 2**20  # of metrics.jsonl: scores of thousands of styles

Scores = dict[str, dict[str, float]]  # style -> score name -> value


class Evaluation(NamedTuple):
    """What was found on the held-out pairs, by style; both are {} if nothing is held out."""

    scores: Scores
    drawn: dict[str, Drawn]


class RunLogger:
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
        self.pairs = pairs_of(pack, pack.held_out)
        self.sheet_chars = self._choose_sheet_chars(sheet_chars)
        self.writer: SummaryWriter | None = None
        self.go_back(from_step)

    def go_back(self, step: int) -> None:
        """Drops what is logged beyond a step, from where the run goes on."""
        self.close()
        if is_main():
            threading.excepthook = _without_trace
            self.writer = SummaryWriter(str(self.run / "tensorboard"), purge_step=step + 1 if step else 0)
            self._drop_lines_after(step)

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

    def evaluate(self, step: int) -> Evaluation:
        """Scores every held-out pair and appends a line to ``metrics.jsonl``.

        Returns: the same in every process.
        """
        found, drawn = {}, {}
        for style in self.pack.styles:
            pairs = [pair for pair in self.pairs if pair[0] == style]
            if pairs:
                values = self._score(pairs, lambda batch: ink_from_image(self.draw(batch.source, batch.style)))
                finite = all(map(math.isfinite, values.values()))
                drawn[style] = Drawn(len(pairs), values["blank"], values.pop("black"), finite)
                found[style] = values
        if found:
            self._append({"step": step, "kind": "held_out", "styles": found})
        for style, values in found.items():
            self.scalars(step, {f"held_out/{style}/{name}": value for name, value in values.items()})
        return Evaluation(found, drawn)

    def baselines(self) -> dict[str, Scores]:
        """Scores of the baseline ways to draw the held-out pairs: baseline -> style -> score -> value.

        They are written down once, at the run's first evaluation.
        """
        file = self.run / "metrics.jsonl"
        written = file.read_text(encoding="utf-8") if is_main() and file.is_file() else ""
        found: dict[str, Scores] = {}
        for style in self.pack.styles:
            pairs = [pair for pair in self.pairs if pair[0] == style]
            if not pairs:
                continue
            mean = self._mean_training_glyph(style)
            for name, draw in BASELINES.items():
                values = self._score(pairs, partial(_baseline_ink, draw, mean))
                del values["black"]
                found.setdefault(name, {})[style] = values
        for name, by_style in found.items():
            if f'"kind": "baseline/{name}"' in written:
                continue
            log.info("baseline %s: %s", name.replace("_", " "), format_scores(by_style, {}))
            self._append({"step": 0, "kind": f"baseline/{name}", "styles": by_style})
            for style, values in by_style.items():
                self.scalars(0, {f"baseline/{name}/{style}/{k}": v for k, v in values.items()})
        return found

    def _score(self, pairs: list[tuple[str, str]], draw: Callable[[GlyphBatch], Tensor]) -> dict[str, float]:
        """Mean scores over pairs, a few at a time, so that memory does not grow with their number.

        Beside them ``black``, the share of glyphs with hardly any paper: those whose negative is ``blank``.  Each process draws its share of them, and the totals of all are summed.
        """
        totals: dict[str, float] = {}
        mine = share_of(pairs)
        for start in range(0, len(mine), SCORED_AT_ONCE):
            batch = collate_pairs(self.pack, mine[start : start + SCORED_AT_ONCE])
            ink, truth = draw(batch), ink_from_image(batch.target)
            black = float(blank(1 - ink, 1 - truth).mean())
            for name, value in {**scores(ink, truth), "black": black}.items():
                totals[name] = totals.get(name, 0.0) + value * len(batch.names)
        everyone = [of_one for of_one in all_gather(totals) if of_one]  # of few pairs, a process may have none
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
            batch = collate_pairs(self.pack, [(style, char) for char in there])
            drawn = dict(zip(there, pixels_from_image(self.draw(batch.source, batch.style)[:, 0]).numpy(), strict=True))
            empty = np.full((self.pack.size, self.pack.size), SHEET_GREY, np.uint8)
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
        """A resumed run writes its later lines again; without this they would be there twice.

        Lines that are no JSON object with a step are dropped too, and named in the log.
        """
        file = self.run / "metrics.jsonl"
        if not file.is_file():
            return
        kept, damaged = [], []
        with file.open("rb") as lines:
            number = 0
            while line := lines.readline(MAX_LINE_BYTES):
                number += 1
                try:
                    if 0 < step >= _step_of(line):
                        kept.append(line.rstrip(b"\n") + b"\n")
                except ValueError:
                    damaged.append(number)
                    while line and not line.endswith(b"\n"):  # the rest of one that is too long
                        line = lines.readline(MAX_LINE_BYTES)
        if damaged:
            log.warning("%s: dropped %s", file, f"{len(damaged)} damaged lines, the first is line {damaged[0]}")
        atomic_write(file, b"".join(kept))


def _step_of(line: bytes) -> int:
    """The step of a line of ``metrics.jsonl``. Raises: ValueError if it is none."""
    try:
        content = json.loads(line.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    step = content.get("step") if isinstance(content, dict) else None
    if type(step) is not int:
        raise ValueError("no step")
    return step


def _baseline_ink(draw: Callable[[Tensor, Tensor], Tensor], mean: Tensor, batch: GlyphBatch) -> Tensor:
    return draw(ink_from_image(batch.source), mean)


def format_scores(found: Scores, baselines: dict[str, Scores]) -> str:
    """One line: each style's L1, RMSE and SSIM, in brackets the best of the baselines if there are any."""
    parts = []
    for style, values in found.items():
        texts = []
        for key, pick in (("l1", min), ("rmse", min), ("ssim", max)):
            best = pick((by_style[style][key] for by_style in baselines.values()), default=None)
            texts.append(f"{key} {values[key]:.3f}" + ("" if best is None else f" ({best:.3f})"))
        parts.append(f"{style}: {' '.join(texts)}" + (f", {values['blank']:.0%} blank" if values["blank"] else ""))
    return "; ".join(parts)


def _without_trace(failed: threading.ExceptHookArgs) -> None:
    """TensorBoard writes in a thread, and raises what failed there, as on a full disk, again at the next thing logged."""
    if not (isinstance(failed.exc_value, OSError) and type(failed.thread).__module__.startswith("tensorboard.")):
        threading.__excepthook__(failed)
