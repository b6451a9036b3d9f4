"""LPIPS, and FID and its distance, with their standard weights where the user has put these: nothing is downloaded.

Their networks have seen photographs, not glyphs, so their numbers serve to compare with what others publish.
"""

import hashlib
import importlib.util
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fontgan.extras import how_to_install

log = logging.getLogger(__name__)

AT_ONCE = 16  # glyphs


class StandardWeights(NamedTuple):
    """A weights file of PyTorch's hub cache; the end of its name is the beginning of its SHA-256."""

    file_name: str

    def find(self) -> Path | None:
        """The file if it is there and is what its name says; None otherwise, with a warning where it is not.

        It is unpickled here under ``weights_only`` first, because the libraries that take it do not care to.
        """
        file = Path(torch.hub.get_dir()) / "checkpoints" / self.file_name
        if not file.is_file():
            return None
        expected = file.stem.rpartition("-")[2]
        if not hashlib.sha256(file.read_bytes()).hexdigest().startswith(expected):
            log.warning("%s: its SHA-256 does not begin with %s as its name says; it is not used.", file, expected)
            return None
        try:
            torch.load(file, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
            log.warning("%s: holds more than weights (%s); it is not used.", file, str(error).splitlines()[0])
            return None
        return file


ALEXNET = StandardWeights("alexnet-owt-7be5be79.pth")
INCEPTION = StandardWeights("weights-inception-2015-12-05-6726825d.pth")


def find_lpips() -> Callable[[Tensor, Tensor], Tensor] | None:
    """(drawn, true) ink, (N, 1, H, W) -> (N,) LPIPS with AlexNet; None where its weights are not at hand.

    Source: Zhang et al. 2018, arXiv:1801.03924, as torchmetrics computes it with its own linear weights.
    """
    if ALEXNET.find() is None:
        return None
    from torchmetrics.functional.image.lpips import _LPIPS

    network = _LPIPS(net="alex").eval()

    @torch.inference_mode()
    def lpips(drawn: Tensor, truth: Tensor) -> Tensor:
        parts = zip(torch.split(drawn, AT_ONCE), torch.split(truth, AT_ONCE), strict=True)
        return torch.cat([network(_photograph(d), _photograph(t)).flatten() for d, t in parts])

    return lpips


def find_inception() -> Callable[[Tensor], np.ndarray] | None:
    """Ink (N, 1, H, W) -> (N, 2048) features of FID's Inception; None where weights or torch-fidelity are missing."""
    weights = INCEPTION.find()
    if weights is None:
        return None
    if importlib.util.find_spec("torch_fidelity") is None:
        log.warning("%s: is there, but FID needs torch-fidelity. Run %s.", weights, how_to_install("fid"))
        return None
    from torchmetrics.image.fid import NoTrainInceptionV3

    network = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(weights))

    @torch.inference_mode()
    def features(ink: Tensor) -> np.ndarray:
        levels = (((_photograph(part) + 1) * 127.5).round().to(torch.uint8) for part in torch.split(ink, AT_ONCE))
        return torch.cat([network(part) for part in levels]).double().numpy()

    return features


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The Frechet distance of normal distributions fitted to two samples; 0 for equal ones.

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)).  The last trace is the sum of the singular values of A B^T, A and
    B being the centred samples over the root of their counts less one, so no matrix root is taken and samples may be
    fewer than dimensions.  Small samples make it large: compare only values of equally many glyphs.

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


def _photograph(ink: Tensor) -> Tensor:
    """Ink -> what such networks take: three channels, -1 black .. +1 white, 64 px at least."""
    if ink.shape[-1] < 64:
        ink = torch.nn.functional.interpolate(ink, size=(64, 64), mode="bilinear", align_corners=False)
    return (1 - 2 * ink).expand(-1, 3, -1, -1)
