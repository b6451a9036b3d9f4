"""What a font says of its version, of who made it, and under which licence."""

import re
from dataclasses import dataclass, fields
from typing import Any

from fontTools.ttLib import TTFont

from fontgan.errors import ConfigError
from fontgan.fontfile import names
from fontgan.fontfile.licence import COPYRIGHT, LICENCE, LICENCE_URL

DESIGNER, DESIGNER_URL = 9, 12
FIRST_VERSION = "1.000"
OFL = "OFL"
# As the Open Font License's own page and Google's guide for the name table have it.
OFL_SAYS = (
    "This Font Software is licensed under the SIL Open Font License, Version 1.1. "
    "This license is available with a FAQ at: https://openfontlicense.org"
)
OFL_URL = "https://openfontlicense.org"


@dataclass(frozen=True)
class Credits:
    """Entries of the name table and of OS/2. None leaves what the font says; a new font says nothing then.

    Args:
        version: major and minor, the minor one of up to three digits: 1.2 is Version 1.200.
        vendor: up to four letters that a foundry has registered.
        licence: ``OFL`` for the SIL Open Font License, or any sentence.
    """

    version: str | None = None
    designer: str | None = None
    designer_url: str | None = None
    vendor: str | None = None
    copyright: str | None = None
    licence: str | None = None

    @property
    def revision(self) -> str | None:
        """The version with all digits."""
        major, _, minor = (self.version or "").partition(".")
        return f"{major}.{minor:0<3}" if self.version else None

    def check(self, font: TTFont | None, *, confirm_ownership: bool) -> None:
        """Raises: ConfigError if a value cannot be kept, or would replace what only the font's owner may.

        Args:
            font: that glyphs are added to; None for a new one.
        """
        for entry in fields(self):
            names.check_name(entry.name, getattr(self, entry.name))
        if self.version is not None and not re.fullmatch(r"\d{1,4}(\.\d{1,3})?", self.version):
            raise ConfigError(f"version={self.version}: a number is needed with three decimals at most, as in 1.002.")
        if self.vendor is not None and not re.fullmatch(r"[!-~]([ -~]{0,3})", self.vendor):
            raise ConfigError(f"vendor={self.vendor}: one to four ASCII characters are needed, as in ABCD.")
        if font is not None and not confirm_ownership:
            for name_id, key, text in ((COPYRIGHT, "copyright", self.copyright), (LICENCE, "licence", self._licence)):
                if text is not None and names.entry_of(font, name_id) != text:
                    raise ConfigError(
                        f"{key}: only its owner may change that of the target. Leave {key} out, or add "
                        "confirm_ownership=true if the target is yours."
                    )

    @property
    def _licence(self) -> str | None:
        return OFL_SAYS if self.licence == OFL else self.licence

    def write(self, font: TTFont) -> None:
        """Writes them into the font's tables."""
        entries = {
            COPYRIGHT: self.copyright,
            names.VERSION: f"Version {self.revision}" if self.version else None,
            DESIGNER: self.designer,
            DESIGNER_URL: self.designer_url,
            LICENCE: self._licence,
            LICENCE_URL: OFL_URL if self.licence == OFL else None,
        }
        given = {name_id: text for name_id, text in entries.items() if text is not None}
        # The address of another licence than the one that is given would lead astray.
        names.replace(font, (*given, *([LICENCE_URL] if self.licence else [])), given)
        if self.revision:
            font["head"].fontRevision = float(self.revision)
        if self.vendor:
            font["OS/2"].achVendID = f"{self.vendor:<4}"

    @classmethod
    def of(cls, cfg: Any) -> "Credits":
        """Those of a command's settings."""
        return cls(**{key.name: getattr(cfg, key.name) for key in fields(cls)})


NONE_GIVEN = Credits()
