"""The names of devices, as settings give them; torch is not needed to read one."""

import re

from fontgan.errors import ConfigError


def parse_device(name: str) -> tuple[str, int | None]:
    """auto, cpu, cuda or mps, and the number of ``cuda:N``, else None. Raises: ConfigError for other names."""
    match = re.fullmatch(r"(auto|cpu|mps|cuda)|(cuda):(\d{1,4})", name)
    if match is None:
        raise ConfigError(f"device={name}: choose one of auto, cpu, cuda, cuda:N (N from 0), mps.")
    return match[1] or match[2], int(match[3]) if match[3] else None
