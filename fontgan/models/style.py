"""Style conditioning: of the innermost map, and with ``every_level`` of the map that each step up begins with.

Contract of every class here: ``Style(channels, styles, **options)`` maps a map (B, channels, H, W) and
style weights (B, styles) -> (B, style.out_channels, H, W).  A row of weights is one-hot for a pure style;
any other row is a mixture, because each class reads the weights through a linear table of embeddings.

``for_level(channels)`` gives the module that conditions a further level, with the same inputs, or None where the style
enters at the innermost map alone.  A ``StyleEncoder`` takes a style's code in place of weights; see there.
A number below 1 raises ValueError.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fontgan.models.attention import heads_for
from fontgan.models.layers import check_at_least


class StyleEmbedding(nn.Module):
    """Style weights (B, styles) -> embedding (B, dim): one learned row a style, mixed linearly."""

    def __init__(self, styles: int, dim: int):
        check_at_least("dim", dim)
        super().__init__()
        self.weight = nn.Parameter(torch.randn(styles, dim))

    def forward(self, weights: Tensor) -> Tensor:
        return weights @ self.weight


class Style(nn.Module):
    """Base of all conditionings."""

    out_channels: int  # of the map that comes out
    shots: int = 0  # reference glyphs of a pair in training; 0 for one that knows its styles by weights alone

    def style_vector(self, style: Tensor) -> Tensor:
        """What the conditioning of every level is called with: here the weights as they are."""
        return style

    def for_level(self, channels: int) -> nn.Module | None:
        """Conditioning of a decoder map of so many channels, which it keeps; None where there is none."""
        return None


class ConcatStyle(Style):
    """Stacks the embedding, spread over the map, on the channels, as zi2zi does (Tian 2017, github.com/kaonashi-tyc/zi2zi)."""

    def __init__(self, channels: int, styles: int, *, dim: int = 128):
        super().__init__()
        self.table = StyleEmbedding(styles, dim)
        self.out_channels = channels + dim

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        embedding = self.table(weights).to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        return torch.cat([x, embedding], dim=1)


class Affine(nn.Linear):
    """x * (1 + scale) + shift, channel by channel, both read from an embedding; starts near the identity.

    Shape:  x (B, channels, H, W) and embedding (B, dim) -> (B, channels, H, W).
    Source: Perez et al. 2018 (FiLM), arXiv:1709.07871.
    """

    SPREAD = 0.02  # of the first weights

    def __init__(self, dim: int, channels: int):
        super().__init__(dim, 2 * channels)

    @torch.no_grad()
    def init_weights(self) -> None:
        """Called again after any global initialisation, most of which would drown x in the style.

        It scales what was drawn and draws nothing itself; weights of about ``SPREAD`` (init=normal) stay as they are.
        """
        spread = float(self.weight.std()) if self.weight.device.type != "meta" else 0.0
        if spread > 1.5 * self.SPREAD:
            self.weight.mul_(self.SPREAD / spread)
        self.bias.zero_()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:  # type: ignore[override]
        scale, shift = super().forward(embedding).to(x.dtype)[:, :, None, None].chunk(2, dim=1)
        return x * (1 + scale) + shift


class FilmStyle(Style):
    """``Affine`` of the embedding.

    Source: Perez et al. 2018 (FiLM), arXiv:1709.07871.

    Args:
        every_level: conditions the decoder's maps too, each from a table of its own, as Karras et al. 2019
            (StyleGAN, arXiv:1812.04948) bring the style in at every resolution.
    """

    def __init__(self, channels: int, styles: int, *, dim: int = 128, every_level: bool = False):
        super().__init__()
        self.table = StyleEmbedding(styles, dim)
        self.affine = Affine(dim, channels)
        self.every_level = every_level
        self.out_channels = channels

    def for_level(self, channels: int) -> nn.Module | None:
        styles, dim = self.table.weight.shape
        return type(self)(channels, styles, dim=dim) if self.every_level else None

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return self.affine(x, self.table(weights))


class AdainStyle(FilmStyle):
    """Takes the map's own mean and spread away and gives it those of the style: FiLM of a normalised map.

    Statistics go over the places of each channel. A map of one pixel has none (every value would become
    0 and the glyph be lost), so there they go over the channels instead.

    Source: Huang & Belongie 2017, arXiv:1703.06868.
    """

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        one_pixel = x.shape[-2] * x.shape[-1] == 1
        return super().forward(F.layer_norm(x, x.shape[1:]) if one_pixel else F.instance_norm(x), weights)


class CrossAttentionStyle(Style):
    """Every place of the map looks at a few learned tokens of the style and adds what it finds.

    Unlike FiLM, different places can take different things from one style: a hook here, a sharp end there.

    Source: Vaswani et al. 2017, arXiv:1706.03762 (attention from one sequence to another); as conditioning of a
        U-Net's maps Rombach et al. 2022, arXiv:2112.10752.

    Args:
        tokens: of each style, of ``dim`` values each.
    """

    def __init__(self, channels: int, styles: int, *, tokens: int = 8, dim: int = 128, head_channels: int = 32):
        check_at_least("tokens", tokens)
        check_at_least("dim", dim)
        super().__init__()
        self.tokens = tokens
        self.heads = heads_for(channels, head_channels)
        self.table = StyleEmbedding(styles, tokens * dim)
        self.norm = nn.GroupNorm(1, channels)
        self.query = nn.Conv2d(channels, channels, 1)
        self.key_value = nn.Linear(dim, 2 * channels)
        self.project = nn.Conv2d(channels, channels, 1)
        self.out_channels = channels

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        batch, channels = x.shape[:2]
        of_a_head = channels // self.heads
        # (B, tokens, 2C) -> two of (B, heads, tokens, C / heads); the query (B, heads, H*W, C / heads)
        pairs = self.key_value(self.table(weights).view(batch, self.tokens, -1))
        k, v = pairs.view(batch, self.tokens, 2, self.heads, of_a_head).permute(2, 0, 3, 1, 4).unbind(0)
        q = self.query(self.norm(x)).view(batch, self.heads, of_a_head, -1).transpose(-1, -2)
        found = F.scaled_dot_product_attention(q, k.to(q.dtype), v.to(q.dtype))
        return x + self.project(found.transpose(-1, -2).reshape(x.shape))


class StyleEncoder(Style):
    """Base of conditionings that read a style off a few glyphs of it, so that one never trained on can be given as images.

    A class of this kind defines ``embed`` and ``forward``, which takes a code (B, dim).  The generator calls
    ``style_vector`` once and passes the code down; it takes references while it learns, and weights afterwards, which mix
    ``prototypes``: the codes of the styles it knows.
    """

    def __init__(self, styles: int, *, shots: int, dim: int):
        check_at_least("shots", shots)
        check_at_least("dim", dim)
        super().__init__()
        self.shots = shots
        self.prototypes: Tensor
        self.register_buffer("prototypes", torch.zeros(styles, dim))

    def embed(self, references: Tensor) -> Tensor:
        """References (B, K, H, W), images from -1 (ink) to +1 (paper) -> codes (B, dim), float32."""
        raise NotImplementedError

    def style_vector(self, style: Tensor) -> Tensor:
        """References (B, K, H, W), or weights (B, styles) of the known styles -> codes (B, dim)."""
        return self.embed(style) if style.dim() == 4 else style @ self.prototypes

    @torch.no_grad()
    def set_prototype(self, index: int, references: Tensor) -> None:
        """Makes references (K, H, W) what the style of that index looks like."""
        self.prototypes[index] = self.embed(references[None])[0]

    @torch.no_grad()
    def add(self, references: Tensor) -> int:
        """Learns one more style from references (K, H, W). Returns: its index."""
        self.prototypes = torch.cat([self.prototypes, self.embed(references[None]).to(self.prototypes)])
        return len(self.prototypes) - 1


class ReferenceStyle(StyleEncoder):
    """Reads references by a small convolutional network, and conditions the map as FiLM does.

    The means and spreads of its last maps become a code, and the codes of all references are averaged, so neither their
    order nor their number matters.

    Source: an encoder of few style references as in Gao et al. 2019 (AGIS-Net), arXiv:1910.04987; averaging over the
        set after Zaheer et al. 2017 (Deep Sets), arXiv:1703.06114.

    Args:
        width: channels of the encoder's first layer; they double each layer up to 8 * width.
        every_level: conditions the decoder's maps too, from the same code.
    """

    def __init__(
        self, channels: int, styles: int, *, shots: int = 4, dim: int = 128, width: int = 16, every_level: bool = True
    ):
        check_at_least("width", width)
        super().__init__(styles, shots=shots, dim=dim)
        self.every_level = every_level
        widths = [1] + [width * 2**layer for layer in range(4)]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.GroupNorm(1, after), nn.LeakyReLU(0.2)]
        self.encoder = nn.Sequential(*layers)
        self.project = nn.Linear(2 * widths[-1], dim)
        self.affine = Affine(dim, channels)
        self.out_channels = channels

    def embed(self, references: Tensor) -> Tensor:
        maps = self.encoder(references.flatten(0, 1).unsqueeze(1)).flatten(2).float()
        facts = torch.cat([maps.mean(2), (maps.var(2, unbiased=False) + 1e-5).sqrt()], dim=1)
        return self.project(facts).unflatten(0, references.shape[:2]).mean(1).float()

    def for_level(self, channels: int) -> nn.Module | None:
        return Affine(self.project.out_features, channels) if self.every_level else None

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        return self.affine(x, code)


class NoStyle(Style):
    """Leaves the map alone: for one target style, or to see what conditioning is worth."""

    def __init__(self, channels: int, styles: int):
        super().__init__()
        self.out_channels = channels

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return x
