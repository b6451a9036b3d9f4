"""How far two sets of glyphs lie apart as wholes, as the Frechet distance of normal distributions fitted to features."""

from __future__ import annotations

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of two samples; 0 for equal ones.

    The last trace is the sum of the singular values of A B^T, A and B being the centred samples over the root of
    their counts less one, so no matrix root is taken and samples may be fewer than dimensions.  Small samples make it
    large: compare only values of equally many glyphs.

    Args:
        a, b: (N, D) and (M, D) features.
    Returns: NaN if one of them has fewer than two rows.
    Source: Heusel et al. 2017, arXiv:1706.08500.
    """
    if min(len(a), len(b)) < 2:
        return float("nan")
    between = float(np.square(a.mean(axis=0) - b.mean(axis=0)).sum())
    centred_a, centred_b = _centred(a), _centred(b)
    overlap = np.linalg.svd(centred_a @ centred_b.T, compute_uv=False).sum()
    within = np.square(centred_a).sum() + np.square(centred_b).sum() - 2 * overlap
    return max(0.0, between + float(within))


def _centred(sample: np.ndarray) -> np.ndarray:
    """Rows whose Gram matrix is the covariance; no more of them than dimensions."""
    centred = (sample - sample.mean(axis=0)) / np.sqrt(len(sample) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r")) if len(centred) > centred.shape[1] else centred
