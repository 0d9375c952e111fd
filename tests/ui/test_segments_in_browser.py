"""The counter under a text and the one that bills agree."""

import random

import pytest

from messaging import segments

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("browser"),
    pytest.mark.urls("tests.ui.pages"),
]

PIECES = [
    "Hi Ana, it has been a while. ",
    "[x]{y}~|^\\",
    "€",
    "ñ",
    "ç",
    "“quoted” – it’s … ½ price",
    "👍🏽",
    "👨‍👩‍👧‍👦",
    "🇺🇸",
    "e\u0301",
    "\n",
    "\t",
    "Ω",
    "漢字",
    "a" * 67,
    "b" * 153,
    "z\u200bz",
    "a" + "\u0301" * 80,
]


def test_the_browser_counts_as_the_server_bills(tab):
    chance = random.Random(20261121)
    samples = ["", *PIECES, *("".join(chance.choices(PIECES, k=chance.randint(1, 9))) for _ in range(400))]
    samples += ["a" * n for n in (160, 161, 306, 307)] + ["ą" * n for n in (70, 71, 134, 135)]
    tab.page.goto("/styleguide/")
    for toll_free in (False, True):
        here = tab.page.evaluate(
            "([all, tollFree]) => all.map(text => trackstatSegments(text, {tollFree}))", [samples, toll_free]
        )
        for text, counted in zip(samples, here, strict=True):
            billed = segments.count(segments.plain(text), toll_free)
            assert (counted["segments"], counted["gsm"], counted["characters"]) == (
                billed.segments,
                billed.is_gsm,
                billed.characters,
            ), text
