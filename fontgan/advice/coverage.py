"""Choosing characters whose parts cover most of what is still to be drawn.

A part counts as covered as far as some drawn character has a part like it.  The sum over all parts of all wanted
characters is a facility-location function: each further character adds less than it would have added before.  So the
greedy choice reaches at least 1 - 1/e, 63 %, of the best coverage that any n characters reach.

Source: Nemhauser, Wolsey and Fisher 1978, "An analysis of approximations for maximizing submodular set functions", for
        the bound; Minoux 1978 for the lazy form, which looks again only at candidates that may still be the best.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from fontgan.advice.parts import KINDS, describe

# Cosines of descriptors. Of 3,755 characters in Noto Sans SC, the same component of two characters lies at 0.985 and
# above, chance pairs at 0.90 to 0.94, and one pair in a hundred above 0.98.
ALIKE_FROM, SAME_FROM = 0.97, 0.995
_ROWS = 1024  # of a matrix of similarities computed at once
_WAITS = 0.5  # a part covered less than this waits for a character


@dataclass(frozen=True)
class Advice:
    """A character to draw."""

    char: str
    part: str  # the one of its parts that most characters wait for, of ``KINDS``; of equal ones that which adds most
    waiting: tuple[str, ...]  # those still to be drawn, itself among them, that had no part like that one yet
    coverage: float  # share of the wanted characters' parts covered once this and those before are drawn, 0 to 1


class Coverage:
    """How well drawn characters cover the parts of wanted ones."""

    def __init__(self, chars: Sequence[str], images: np.ndarray, weights: np.ndarray):
        """
        Args:
            chars: all characters that are drawn or wanted.
            images: theirs in the source font, (N, 64, 64) uint8, 0 ink .. 255 paper.
            weights: how much each one's parts count, (N,); 0 for those drawn already.
        """
        self.chars = list(chars)
        descriptors, clear = describe(images)
        self.alike = [_alike(of_kind) for of_kind in descriptors]
        self.weights = clear * weights.astype(np.float32)
        self.best = np.zeros_like(self.weights)  # (kinds, N): how far each part is covered
        self.total = float(self.weights.sum()) or 1.0

    @property
    def share(self) -> float:
        """Share of all parts that is covered, by weight, 0 to 1."""
        return float((self.weights * self.best).sum()) / self.total

    def add(self, index: int) -> None:
        """Takes a character as drawn."""
        for kind, alike in enumerate(self.alike):
            near, likeness = _row(alike, index)
            self.best[kind, near] = np.maximum(self.best[kind, near], likeness)

    def gains(self, index: int) -> np.ndarray:
        """What a character's parts would add, (kinds,)."""
        found = np.zeros(len(KINDS))
        for kind, alike in enumerate(self.alike):
            near, likeness = _row(alike, index)
            found[kind] = (self.weights[kind, near] * np.maximum(0, likeness - self.best[kind, near])).sum()
        return found

    def waiting(self, index: int, kind: int) -> tuple[str, ...]:
        """Wanted characters that have a part like this one's, which nothing drawn has; the most alike first."""
        near, likeness = _row(self.alike[kind], index)
        wait = (likeness >= _WAITS) & (self.best[kind, near] < _WAITS) & (self.weights[kind, near] > 0)
        order = np.argsort(-likeness[wait], kind="stable")
        return tuple(self.chars[place] for place in near[wait][order])

    def choose(self, candidates: Sequence[int], n: int) -> list[Advice]:
        """The ``n`` candidates that add most, one after the other; ties go to the earlier candidate."""
        # Gains only shrink, so one computed before is an upper bound, and the best bound that is fresh is the best.
        bounds = [(-float(self.gains(index).sum()), place, index) for place, index in enumerate(candidates)]
        heapq.heapify(bounds)
        chosen: list[Advice] = []
        while bounds and len(chosen) < n:
            _, place, index = heapq.heappop(bounds)
            gains = self.gains(index)
            fresh = (-float(gains.sum()), place, index)
            if bounds and fresh > bounds[0]:
                heapq.heappush(bounds, fresh)
                continue
            waits = [self.waiting(index, kind) for kind in range(len(KINDS))]
            kind = max(range(len(KINDS)), key=lambda k: (len(waits[k]), gains[k]))
            self.add(index)
            chosen.append(Advice(self.chars[index], KINDS[kind], waits[kind], self.share))
        return chosen


def _alike(descriptors: np.ndarray) -> sparse.csr_matrix:
    """How alike the parts of one kind are, (N, N): 0 for unlike ones, which are not kept, to 1 for the same."""
    blocks = []
    for start in range(0, len(descriptors), _ROWS):
        cosines = descriptors[start : start + _ROWS] @ descriptors.T
        rows, columns = np.nonzero(cosines > ALIKE_FROM)
        likeness = np.minimum(1, (cosines[rows, columns] - ALIKE_FROM) / (SAME_FROM - ALIKE_FROM))
        blocks.append(sparse.csr_matrix((likeness, (rows, columns)), shape=cosines.shape))
    return sparse.vstack(blocks, format="csr")


def _row(matrix: sparse.csr_matrix, index: int) -> tuple[np.ndarray, np.ndarray]:
    span = slice(matrix.indptr[index], matrix.indptr[index + 1])
    return matrix.indices[span], matrix.data[span]
