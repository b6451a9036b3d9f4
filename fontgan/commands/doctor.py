"""fontgan doctor: whether fontgan works on this machine, on one screen, to be pasted into a report."""

from dataclasses import asdict, dataclass
from typing import Any

from fontgan.config.schema import MISSING

ORDER = 190
SUMMARY = "say whether fontgan works on this machine, on one screen to paste into a report"
EXAMPLES = ("fontgan doctor", "fontgan doctor device=cpu out=doctor.json")


@dataclass
class Config:
    out: str | None = MISSING
    overwrite: bool = MISSING
    device: str = MISSING
    precision: str = MISSING


def main(cfg: Any) -> int:
    """Prints the page. Returns: 0, or 1 if something that fontgan needs does not work."""
    from fontgan.doctor.examine import healthy, print_page
    from fontgan.runtime.files import out_file, write_json

    out = out_file("out", cfg.out, ".json", overwrite=cfg.overwrite) if cfg.out else None
    rows = print_page(cfg.device, cfg.precision)
    if out:
        write_json(out, {"healthy": healthy(rows), "rows": [asdict(row) for row in rows]})
    return 0 if healthy(rows) else 1
