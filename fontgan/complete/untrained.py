"""The base model as it is, opened for a typeface that it has not seen: nothing is trained, and nothing is left on the disk."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from omegaconf import DictConfig

from fontgan.config.compose import compose_config, find_pretrained
from fontgan.config.data_plan import build_plan
from fontgan.config.instantiate import build_generator, guide_specs
from fontgan.data.manifest import manifest
from fontgan.data.pack import make_pack
from fontgan.data.sources import Spec
from fontgan.generate.inference import Run
from fontgan.generate.placement import RunInputs
from fontgan.models.predict import draw_glyphs
from fontgan.runtime.device import autocast, pick_device, pick_precision
from fontgan.training.finetune import load_pretrained
from fontgan.training.nearest_style import start_at_nearest_style

STYLE = "untrained"


def open_untrained(target: str, source: Spec, known: list[str], *, device: str, precision: str) -> tuple[Run, str]:
    """The base model with the target as a new style ``STYLE``, which has the row of the nearest old one.

    Args:
        known: characters of target and source that the old styles are compared on.
    Returns: a run that is in memory alone, and the name of the nearest style.   Raises: UserError.
    """
    config: DictConfig = compose_config(
        "train", ["experiment=finetune", "data=fonts", "data.source=null", "data.guide_dropout=0"]
    )
    config.data.source = source
    config.data.targets = {STYLE: str(target)}
    config.data.charset, config.data.holdout = "".join(known), 0.0
    pretrained = find_pretrained(config)
    assert pretrained is not None
    assert pretrained.checkpoint is not None
    plan = build_plan(config)
    styles, where = pretrained.model_styles([STYLE]), pick_device(device)
    generator = build_generator(config, len(styles))
    load_pretrained(generator, pretrained, styles)
    generator = generator.to(where).eval()
    precision = pick_precision(precision, where)
    with TemporaryDirectory(prefix="fontgan-") as folder:
        pack = make_pack(plan, Path(folder), workers=1).for_model(styles)
        draw = partial(draw_glyphs, generator, device=where, autocast=autocast(where, precision))
        nearest = start_at_nearest_style(generator, pretrained, pack, draw)[STYLE]
    inputs = RunInputs(source, {}, guide_specs(config))
    told = pretrained.manifest(manifest(plan))
    run = Run(
        pretrained.checkpoint, generator, styles, [STYLE], told, inputs, config.data.align, config.data.margin, where,
        precision, 32,
    )  # fmt: skip
    return run, nearest
