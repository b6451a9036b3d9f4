"""Settings that contradict each other, or would never be used."""

from collections.abc import Collection

from omegaconf import DictConfig

from fontgan.config.groups import choices
from fontgan.config.schema import LossTermConfig, check_limits
from fontgan.config.verbs import verb_module
from fontgan.errors import ConfigError, Faults
from fontgan.hub.names import is_on_hub


def validate(verb: str, cfg: DictConfig, typed: Collection[str] = ()) -> None:
    """Every rule on the values of a config whose keys and types are right; each rule is checked here and nowhere else.

    Of keys that were ``typed`` also whether they would be replaced or never used.   Raises: ConfigError of all faults.
    """
    check_values(verb, cfg)  # first: what follows reckons with the numbers
    faults = Faults()
    for rule in (*RULES, getattr(verb_module(verb), "conflicts", None)):
        with faults.gather():
            if rule:
                rule(cfg, set(typed))
    faults.raise_all()


def check_values(verb: str, cfg: DictConfig) -> None:
    """Raises: ConfigError of all values out of their limits."""
    faults = Faults()
    faults.found += check_limits(verb_module(verb).Config, cfg)
    for name, term in (cfg.get("loss") or {}).items():
        faults.found += check_limits(LossTermConfig, term, f"loss.{name}")
    faults.raise_all()


def _budget_sets_steps(cfg: DictConfig, typed: set[str]) -> None:
    if cfg.get("sweep") and cfg.sweep.budget is not None:
        for key in sorted(typed & {"trainer.max_steps", "trainer.max_minutes"}):
            raise ConfigError(f"{key}: sweep.budget={cfg.sweep.budget} sets it. Leave one of the two out.")


def _match_params_sets_width(cfg: DictConfig, typed: set[str]) -> None:
    wanted = cfg.get("generator") and cfg.generator.get("match_params")
    if wanted is not None and str(wanted) not in choices("generator/up") and "generator.ngf" in typed:
        raise ConfigError(f"generator.ngf: generator.match_params={wanted} chooses it. Leave one of the two out.")


def _refuse_idle_parts(cfg: DictConfig, typed: set[str]) -> None:
    generator = cfg.get("generator")
    if not generator:
        return
    for key in sorted(typed):
        if key.startswith(("generator/attention", "generator.attention.")) and not generator.attention_levels:
            raise ConfigError(
                f"{key}: generator.attention_levels=[] leaves it out. Add generator.attention_levels=[3], or leave it out."
            )
    if "generator.encoder_refine_levels" in typed and generator.encoder_refine._target_.endswith("NoRefine"):
        raise ConfigError(
            "generator.encoder_refine_levels: generator/encoder_refine=none leaves it out. "
            "Add generator/encoder_refine=resskip_standard, or leave it out."
        )


def _refuse_idle_losses(cfg: DictConfig, typed: set[str]) -> None:
    """Of a term whose weight is 0; a preset may hold such."""
    for key in sorted(typed):
        group, _, rest = key.partition(".")
        name, _, option = rest.partition(".")
        if group == "loss" and option not in ("", "weight") and not cfg.loss[name].get("weight", 1.0):
            raise ConfigError(
                f"{key}={cfg.loss[name].get(option)}: would never be used, since loss.{name}.weight is 0. Raise that, or "
                "leave it out."
            )


def _depth_fits_size(cfg: DictConfig, typed: set[str]) -> None:
    if not cfg.get("generator"):
        return
    size, depth = int(cfg.data.size), cfg.generator.depth
    kept = 1 if cfg.generator.get("innermost_stride") == 1 else 0  # levels that do not halve
    deepest = size.bit_length() - 1 + kept
    if depth > deepest:
        larger = f" or data.size={2 ** (depth - kept)}" if depth - kept <= 9 else ""
        raise ConfigError(
            f"data.size={size} with generator.depth={depth}: {size} px can be halved {deepest - kept} times at most. "
            f"Use generator.depth={deepest}{larger}."
        )


def _freeze_needs_weights(cfg: DictConfig, typed: set[str]) -> None:
    if not cfg.get("trainer"):
        return
    parts, only = cfg.trainer.freeze, cfg.trainer.train_only
    if parts and only:
        raise ConfigError(
            "trainer.freeze and trainer.train_only: the second freezes all but new rows. Give one of them."
        )
    if (parts or only) and cfg.init_from is None:
        # What is frozen from the start stays the random numbers it was drawn as; nobody means that.
        key = "freeze" if parts else "train_only"
        raise ConfigError(f"trainer.{key}: holds a trained network still, and none is given. Add init_from=RUN.")


def _discriminator_fits_loss(cfg: DictConfig, typed: set[str]) -> None:
    if not cfg.get("loss"):
        return
    from fontgan.config.instantiate import build_objective

    objective = build_objective(cfg.loss)
    wanted = [f"loss.{term.name}.weight" for term in objective.terms if term.asks_discriminator]
    given = cfg.discriminator.get("_target_") is not None
    if wanted and not given:
        raise ConfigError(
            f"discriminator=none, but {wanted[0]} is above 0. Use discriminator=patch (or zi2zi), or "
            f"{' '.join(f'{key}=0' for key in wanted)}."
        )
    if given and not wanted:
        raise ConfigError(
            "discriminator: would never be used, since no loss term asks it. "
            "Use discriminator=none, or loss=ink_gan, or loss.adversarial.weight=0.02."
        )


def _batch_size_is_a_number(cfg: DictConfig, typed: set[str]) -> None:
    size = cfg.trainer.batch_size if cfg.get("trainer") else "auto"
    if size != "auto" and (isinstance(size, bool) or not isinstance(size, int)):
        raise ConfigError(f"trainer.batch_size={size}: a whole number of pairs is needed, or auto.")


def _hub_is_only_read(cfg: DictConfig, typed: set[str]) -> None:
    for key in ("out", "work", "page", "proof", "project"):
        if is_on_hub(str(cfg.get(key))):
            raise ConfigError(
                f"{key}={cfg[key]}: a run on the hub is only read. Name a folder of yours; init_from={cfg[key]} trains on "
                "from it there, and fontgan push sends what you have trained."
            )


RULES = (
    _hub_is_only_read,
    _batch_size_is_a_number,
    _budget_sets_steps,
    _match_params_sets_width,
    _refuse_idle_losses,
    _refuse_idle_parts,
    _depth_fits_size,
    _discriminator_fits_loss,
    _freeze_needs_weights,
)
