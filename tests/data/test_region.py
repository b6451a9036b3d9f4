"""Whose characters a typeface has, and what follows from it."""

from __future__ import annotations

import pytest

from fontgan.data import charset
from fontgan.data.region import JAPANESE, KOREAN, LATIN, SIMPLIFIED, TRADITIONAL, Region, region_of, set_to_complete
from fontgan.data.shelf import shelf


@pytest.mark.parametrize(
    ("chars", "region"),
    [
        ("的一是不了在人有我他这个们中来上大为和国", SIMPLIFIED),
        ("的一是不了在人有我他這個們中來上大為和國", TRADITIONAL),
        ("あいうえお一二三", JAPANESE),
        ("込働峠一二三", JAPANESE),
        ("가나다라ABC", KOREAN),
        ("ABCabc012", LATIN),
        ("一二三人口", SIMPLIFIED),  # which all regions share
    ],
)
def test_the_region_is_that_of_the_characters_that_no_other_has(chars: str, region: Region) -> None:
    assert region_of(chars) is region


@pytest.mark.parametrize(
    ("sets", "region"),
    [
        ("gb2312+gb2312-symbols", SIMPLIFIED),  # the symbols have all kana
        ("jisx0208", JAPANESE),  # its second level has a thousand traditional forms
        ("ksx1001+kana", KOREAN),
        ("big5+kana", TRADITIONAL),
    ],
)
def test_whole_fonts_are_of_their_own_region(sets: str, region: Region) -> None:
    assert region_of(charset.resolve(sets) or ()) is region


@pytest.mark.parametrize("region", [SIMPLIFIED, TRADITIONAL, JAPANESE, KOREAN, LATIN])
def test_a_whole_set_of_a_region_is_of_that_region_and_its_source_has_it(region: Region) -> None:
    smallest = charset.resolve(region.sets[0])
    assert smallest is not None
    assert region_of(smallest) is region
    covers = {
        name for one in shelf()[region.source.removeprefix("shelf:")].covers for name in charset.resolve(one) or ()
    }
    if region is not LATIN and region is not KOREAN:  # whose sets the list of the shelf does not name
        assert covers.issuperset(smallest)


def test_what_is_completed_is_the_smallest_set_that_lacks_something() -> None:
    first = charset.resolve("gb2312-1")
    assert first is not None
    assert set_to_complete(SIMPLIFIED, first[:50]) == "gb2312-1"
    assert set_to_complete(SIMPLIFIED, first) == "gb2312"
    assert set_to_complete(SIMPLIFIED, charset.resolve("gb2312+tgh") or ()) == "tgh"
