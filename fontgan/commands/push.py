"""fontgan push: a run onto the Hugging Face Hub, with a model card."""

import logging
from dataclasses import dataclass

from fontgan.config.schema import MISSING
from fontgan.errors import ConfigError

log = logging.getLogger(__name__)

ORDER = 37
SUMMARY = "send a run to the Hugging Face Hub, where hf://OWNER/NAME draws with it"
EXAMPLES = (
    "fontgan push run=runs/mine repo=OWNER/NAME licence=ofl-1.1",
    "fontgan push run=runs/mine out=to-send licence=ofl-1.1",
    "fontgan infer checkpoint=hf://OWNER/NAME text=永字八法 style=kai out=DIR",
)


@dataclass
class Config:
    run: str = MISSING
    which: str = MISSING
    repo: str | None = MISSING
    licence: str | None = MISSING
    private: bool = MISSING
    revision: str | None = MISSING
    message: str | None = MISSING
    out: str | None = MISSING
    confirm_ownership: bool = MISSING
    overwrite: bool = MISSING
    plugins: list[str] = MISSING


def main(cfg: Config) -> int:
    """Writes the folder ``out``, or sends. Returns: 0."""
    from fontgan.generate.inference import load
    from fontgan.hub.client import need_hub
    from fontgan.hub.push import folder_for, gather, send, write_folder
    from fontgan.hub.terms import check_identifier, check_terms

    check_settings(cfg)
    out = None if cfg.out is None else folder_for(cfg.out, overwrite=cfg.overwrite)
    if out is None:
        need_hub("repo")
    run = load(cfg.run, which=cfg.which, device="cpu", precision="fp32", plugins=cfg.plugins, key="run")
    named = check_terms(run.checkpoint, confirm_ownership=cfg.confirm_ownership)
    licence = check_identifier(cfg.licence, named)
    contents = gather(run, repo=cfg.repo or "OWNER/NAME", licence=licence, named=named, plugins=cfg.plugins)
    told = (
        f"step {run.checkpoint.step}, {sum(map(len, contents.values())) / 1e6:.1f} MB ({', '.join(sorted(contents))})"
    )
    if out is not None:
        write_folder(out, contents)
        log.info("%s: what would be sent, %s", out, told)
        return 0
    assert cfg.repo is not None
    message = cfg.message or f"fontgan: {', '.join(run.styles[:3])}, step {run.checkpoint.step}"
    page = send(cfg.repo, contents, private=cfg.private, revision=cfg.revision, message=message)
    name = f"hf://{cfg.repo}" + (f"@{cfg.revision}" if cfg.revision else "")
    log.info("%s: sent, %s", page, told)
    log.info("draw with it: fontgan infer checkpoint=%s out=DIR style=%s text=...", name, run.styles[-1])
    return 0


def check_settings(cfg: Config) -> None:
    """Raises: ConfigError for settings that contradict each other or cannot be."""
    from fontgan.hub.names import is_repo, is_revision

    if cfg.repo is None and cfg.out is None:
        raise ConfigError("repo: where to? Add repo=OWNER/NAME, or out=DIR for a folder of what would be sent.")
    if cfg.repo is not None and not is_repo(cfg.repo):
        raise ConfigError(f"repo={cfg.repo}: names no repository. Write OWNER/NAME, of letters, digits, . _ and -.")
    if cfg.revision is not None and not is_revision(cfg.revision):
        raise ConfigError(f"revision={cfg.revision}: cannot be a branch. Write a name such as v2.")
    if cfg.out is not None:
        for key in ("revision", "message"):
            if (value := getattr(cfg, key)) is not None:
                raise ConfigError(f"{key}={value}: is about sending, and out={cfg.out} sends nothing. Leave one out.")
