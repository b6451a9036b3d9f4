"""An opened image of any mode -> grey levels."""

import math

import numpy as np
from PIL import Image

from fontgan.data.glyphs import PAPER

ONE_TONE = 0.9  # share of what can be seen that is of one tone where it is ink alone, and its paper is transparent


def grey_over_paper(image: Image.Image) -> tuple[np.ndarray, bool | None]:
    """Grey levels as they are seen; colour profiles are not looked at.

    Transparency shows paper: white under dark ink, black under light ink.
    Returns: (H, W) uint8; and whether it is light on dark, None where transparency does not tell.
    Raises: ValueError if its pixels cannot be taken as grey levels.
    """
    transparent = image.info.get("transparency")
    alpha = None
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        deep = np.asarray(image)
        grey = eight_bits(deep)
        if isinstance(transparent, int):
            alpha = np.where(deep == transparent, 0, 255).astype(np.uint8)
    elif image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or transparent is not None:
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        grey, alpha = np.asarray(rgba.convert("L")), np.asarray(rgba.getchannel("A"))
    else:
        grey = np.asarray((image.convert("RGB") if image.mode == "CMYK" else image).convert("L"))
    if alpha is None or alpha.min(initial=255) == 255:
        return grey, None  # nothing shows through
    visible = max(1, int(alpha.sum(dtype=np.int64)))
    light = int(alpha[grey >= 128].sum(dtype=np.int64)) / visible
    ink_alone = not 1 - ONE_TONE < light < ONE_TONE
    # Where both tones are there, a card with its own paper lies on the transparent ground, which goes on with it.
    light_on_dark = (light >= 0.5) == ink_alone
    paper = 0 if light_on_dark else PAPER
    # A whole number of 255ths, so half of one more rounds to the nearest.
    seen = grey.astype(np.uint16) * alpha + (255 - alpha.astype(np.uint16)) * paper
    return ((seen + 127) // 255).astype(np.uint8), light_on_dark if ink_alone and alpha.any() else None


def eight_bits(deep: np.ndarray) -> np.ndarray:
    """Grey levels of a wide type as uint8. Raises: ValueError if they are no levels of up to 16 bits."""
    lowest, highest = (float(deep.min()), float(deep.max())) if deep.size else (0.0, 0.0)
    if not (math.isfinite(lowest) and math.isfinite(highest) and lowest >= 0 and highest <= 65535):
        raise ValueError(f"its grey levels go from {lowest:g} to {highest:g}, and 0 to 65535 are needed")
    # An image whose lightest pixel is darker than a quarter has no paper: it holds levels of fewer bits.
    tops = (1, 255, 1023, 4095, 16383, 65535)
    top = next(top for top in tops[deep.dtype.kind != "f" :] if highest <= top)
    return np.clip(np.rint(deep.astype(np.float64) / top * 255), 0, 255).astype(np.uint8)
