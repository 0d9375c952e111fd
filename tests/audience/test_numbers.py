import pytest

from audience.ehr.clean import phones
from audience.numbers import may_be_texted


@pytest.mark.parametrize(
    ("typed", "number", "textable"),
    [
        ("(617) 555-0134", "+16175550134", True),
        ("+1 800 555 0134", "+18005550134", False),
        ("888.555.0134", "+18885550134", False),
        ("800-555-0134 ext 5", "+18005550134", False),
        ("617-555-0134 x12", "+16175550134", False),
        ("+44 20 7946 0018", "+442079460018", True),
    ],
)
def test_the_import_and_sending_agree_on_what_may_be_texted(typed, number, textable):
    [(found, may)] = phones(typed)
    assert (found, may) == (number, textable)
    if "x" not in typed:
        assert may_be_texted(found) is textable
