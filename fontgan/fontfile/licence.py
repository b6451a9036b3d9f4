"""What a font's own licence says about changing it. This reads the words; it is no lawyer."""

import re
import unicodedata

from fontTools.ttLib import TTFont

from fontgan.data.glyphs import Diagnostic
from fontgan.errors import ConfigError, printable, shorten

COPYRIGHT, FAMILY, FULL, LICENCE, LICENCE_URL, TYPO_FAMILY = _READ = (0, 1, 4, 13, 14, 16)  # name IDs
RESTRICTED = 0x0002  # bit 1 of OS/2 fsType
_RIGHTS = {
    RESTRICTED: "restricted", 4: "preview and print embedding", 8: "editable embedding", 0x0100: "no subsetting",
    0x0200: "bitmaps only",
}  # fmt: skip

_KNOWN = {
    "SIL Open Font License": r"SIL Open Font Licen[sc]e|scripts\.sil\.org/OFL|openfontlicense\.org",
    "Apache License": r"Apache Licen[sc]e|apache\.org/licenses",
    "GNU General Public License": r"GNU (?:Lesser |Affero )?General Public Licen[sc]e|gnu\.org/licenses",
    "Ubuntu Font Licence": r"Ubuntu Font Licen[sc]e",
    "MIT licence": r"\bMIT Licen[sc]e|Permission is hereby granted, free of charge, to any person obtaining a copy",
    "CC0": r"\bCC0\b|publicdomain/zero",
    "IPA Font License": r"IPA Font Licen[sc]e|ipa_font_license|IPAフォントライセンス",
    "Arphic Public License": r"Arphic Public Licen[sc]e",
    "Bitstream Vera licence": r"Bitstream Vera is a trademark",
    "GUST Font License": r"GUST Font Licen[sc]e",
}
_RENAMED = ("IPA Font License", "Ubuntu Font Licence")  # a changed font must not bear its name: 3.1 (4), 2 (a)

_CHANGE = (
    r"(?:modif(?:y|ies|ied|ying|ication)|alter(?:ed|ing|ation|s)?\b|adapt(?:ed|ing|ation|s)?\b|\bedit(?:ed|ing)?\b"
    r"|derivat(?:ive|ion)|reverse[- ]engineer|decompil|disassembl|re-?digiti[sz]e|\btransform(?:ed)?\b|build upon"
    r"|convert(?:ed|ing)?\b|(?:make|making) (?:\w+ )?changes?\b|\bchang(?:e|ing) (?:it|them|this|the font|the software|any)\b)"
)
_MAY_NOT = (
    r"(?:(?:may|must|shall|can|do|will|should) ?not|cannot|\bmay (?:neither|never|only)|agrees? not to|not (?:be )?(?:permitted|allowed"
    r"|entitled|authori[sz]ed|grant)|prohibit|forbid|forbidden|disallow|unlawful|no right to|without (?:the |our |its )?"
    r"(?:express |explicit |prior |written |specific )*(?:,? ?(?:and|or) )?(?:express |prior |written )*"
    r"(?:permission|consent|authori[sz]ation|approval|agreement)|not (?:modify|alter|adapt|edit|create|make|translate|decompile)|unauthori[sz]ed|refrain)"
)
# Sentences that speak of changes and of limits, and yet allow the changes: parts of free licences, as they have it.
_ALLOWING = re.compile(
    r"except as expressly provided under this (?:general public )?licen[sc]e"  # GPL 2, section 4; GPL 3, section 8
    r"|if you (?:do not )?(?:modify|do not wish to do so, delete|add)|do not accept this licen[sc]e"  # GPL 2, 5; font exception
    r"|of this license document|the recipients. rights"  # FDL; MPL
    r"|you may modify|you are (?:not )?(?:free|required) to|you may (?:extend|add)|nothing else grants you permission to modify"
    r"|no modified version of the font software may use the reserved"  # OFL, condition 3
    r"|the font software,? (?:when )?modified or unmodified|modified versions? (?:of the font software )?(?:may|must) "
    r"|(?:original or modified version|modified versions?|derivative works?),? (?:must|shall|may) (?:be|not be (?:sold|distributed under))"
    r"|promote, endorse or advertise any modified version"  # OFL, condition 4
    r"|entirely under this licen[sc]e"  # OFL, condition 5
    r"|(?:substantially changed|propagate|renamed)",  # UFL
    re.IGNORECASE,
)
# The full text of a licence that is free to change, from its title to its end; what stands around it is read.
_WHOLE_LICENCE = re.compile(
    r"(?:Apache License|GNU (?:LESSER |LIBRARY )?GENERAL PUBLIC LICENSE) Version .*?(?:END OF TERMS AND CONDITIONS|$)"
)
_FORBIDS = (
    # ND of Creative Commons, in words, as a code or in an address.
    re.compile(r"\bCC[ -]?BY(?:-NC)?-ND\b|licenses/by(?:-nc)?-nd|\bNo ?Deriv(?:ative)?(?: ?Work)?s\b", re.IGNORECASE),
    re.compile(r"\bno (?:modification|alteration|derivative|change)s?\b(?: works?)?(?: (?:is|are))? (?:allowed|permitted)", re.IGNORECASE),
    re.compile(rf"{_MAY_NOT}[^.;]{{0,240}}?{_CHANGE}", re.IGNORECASE),
    re.compile(rf"{_CHANGE}[^.;]{{0,160}}?(?:(?:is|are|be)(?: strictly| expressly)? (?:not (?:permitted|allowed)|prohibited|forbidden)|(?:may|must|shall|can) ?not be (?:made|created|done)|without (?:\w+,? ){{0,5}}(?:permission|consent|authori[sz]ation))", re.IGNORECASE),
    re.compile(r"(?:禁止|不得|不可|不能|不允许|不允許|严禁|嚴禁|勿|未经|未經|非经|非經)[^。;；]{0,40}?(?:修改|改编|改編|改造|改动|改動|更改|变更|變更|衍生|二次开发|二次開發|反编译|反編譯|反向工程|逆向|转换|轉換|编辑|編輯|增补|增補)"),
    re.compile(r"(?:改変|改造|改編|変更|加工|修正|編集|派生|翻案|逆コンパイル|リバースエンジニアリング|変換)[^。]{0,40}?(?:禁止|禁じ|できません|出来ません|認め(?:ません|られ(?:ません|ない))|許可(?:しません|なく)|しないで|お断り|行ってはな|ならない|なりません)"),
    re.compile(r"(?:수정|변경|개작|변형|편집|2차적)[^.。]{0,40}?(?:금지|불가|할 수 없|하실 수 없|허용되지|안 됩니다|안됩니다)"),
)  # fmt: skip
_NOT_CONTAINING = re.compile(r"names? not containing (?P<names>[^.\n]*)", re.IGNORECASE)  # Vera's and DejaVu's
_QUOTED = re.compile(r"[\"'“”‘’「『«]([^\"'“”‘’」』»]+)[\"'“”‘’」』»]")
_RESERVED = re.compile(r"Reserved Font Names?\b:?\s*(?P<names>[^.\n]*)", re.IGNORECASE)


def forbidding_words(text: str) -> str:
    """The sentence of a licence that forbids to modify the font or to make derivatives; empty if none does.

    It knows sentences of free licences that only limit how a changed font is named, sold or licensed.
    """
    text = _WHOLE_LICENCE.sub(" ", " ".join(text.split()))
    for sentence in re.split(r"(?<=[.;。；!！])\s*(?=\S)", text):
        if not _ALLOWING.search(sentence) and any(pattern.search(sentence) for pattern in _FORBIDS):
            return sentence.strip()
    return ""


def reserved_names(text: str) -> list[str]:
    """The names that a text reserves: ``with Reserved Font Name "Source"``, ``names not containing the word "Vera"``."""
    found: list[str] = []
    for match in _RESERVED.finditer(text):
        # Without the word before it, it is the licence's own rule about such names.
        if re.search(r"with(?: the)?(?: following)?$", text[: match.start()].rstrip(), re.IGNORECASE):
            names = _QUOTED.findall(match["names"])
            names = names or re.split(r",|;|\band\b", re.sub(r"\s*\(.*$", "", match["names"]))
            found += [plain for name in names if (plain := name.strip(" ,;<>"))]
    for match in _NOT_CONTAINING.finditer(text):
        found += _QUOTED.findall(match["names"])
    return found


def free_licences(text: str) -> list[str]:
    """The free licences that a text names, of those known here."""
    return [name for name, words in _KNOWN.items() if re.search(words, text, re.IGNORECASE)]


def check_licence(
    font: TTFont, *, confirm_ownership: bool, family: str | None, where: str = "target"
) -> list[Diagnostic]:
    """Stops where the font's own words forbid what is about to be done to it.

    Args:
        confirm_ownership: the user says that they own the font or may modify it, whatever it says.
        family: the name that the result is to have; None for the font's own.
        where: the font, for messages.
    Returns: what the user should read of it.
    Raises: ConfigError if changes are forbidden and ownership is not confirmed; if the family name is reserved.
    """
    records = font["name"].names if "name" in font else []
    entries = [(r.nameID, " ".join(str(r.toUnicode(errors="replace")).split())) for r in records if r.nameID in _READ]

    def texts_of(*name_ids: int) -> list[str]:
        """Entries of the name table in any language, each once."""
        return list(dict.fromkeys(text for name_id, text in entries if name_id in name_ids and text))

    texts = texts_of(COPYRIGHT, LICENCE, LICENCE_URL)
    fs_type = font["OS/2"].fsType if "OS/2" in font else None
    known_as = free_licences(" ".join(texts))
    forbidding = next(filter(None, map(forbidding_words, texts)), None)
    told = [Diagnostic("note", f"{where}: {printable(text, 240)}") for text in texts]
    if fs_type is not None:
        rights = ["installable"] * (not fs_type & 0b1110) + [word for bit, word in _RIGHTS.items() if fs_type & bit]
        told.append(Diagnostic("note", f"{where}: OS/2 fsType {fs_type:#06x} ({', '.join(rights)})."))
    if known_as:
        told.append(Diagnostic("note", f"{where}: names the {' and the '.join(known_as)}."))
    else:
        licensed = texts_of(LICENCE, LICENCE_URL)
        found = "names no free licence that is known here" if licensed else "has no licence text"
        told.append(Diagnostic("warning", f"{where}: {found}.", "See that you may modify it before you pass it on."))
    remedy = "If you own it, or may modify it all the same, add confirm_ownership=true."
    if forbidding and not confirm_ownership:
        raise ConfigError(f"{where}: its licence forbids changes (\u201c{printable(forbidding, 240)}\u201d). {remedy}")
    if fs_type is not None and fs_type & RESTRICTED and not confirm_ownership:
        raise ConfigError(
            f"{where}: its OS/2 fsType says Restricted License ({fs_type:#06x}), so its owner's permission is needed. {remedy}"
        )
    reserved = list(dict.fromkeys(name for text in texts for name in reserved_names(text)))
    if any(name in _RENAMED for name in known_as):
        reserved += texts_of(FAMILY, TYPO_FAMILY)
    own = family or " / ".join(texts_of(FAMILY, FULL, TYPO_FAMILY))
    taken = [name for name in reserved if _plain(name) and _plain(name) in _plain(own)]
    if taken and not (confirm_ownership and not family):
        raise ConfigError(
            f"{where}: its licence reserves the font name {shorten(taken)}, which a changed version must not bear, and the "
            f"family would be {own!r}. Give another family=."
        )
    return told


def _plain(name: str) -> str:
    """Only letters and digits, so that spaces and hyphens make no other name."""
    return "".join(c for c in unicodedata.normalize("NFKC", name).casefold() if c.isalnum())
