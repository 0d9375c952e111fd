import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.merge import FIELDS, MergeError, clean, parse

VALUES = {name: field.sample for name, field in FIELDS.items()}
anything = st.text(alphabet=st.characters(exclude_categories=()))


def test_fields_and_fallbacks_are_filled_in():
    template = parse("Hi {{PatientFirstName|there}}, call {{ PracticePhone }} or [Practice.Name].")
    assert template.render(VALUES) == "Hi Ana, call (617) 555-0100 or Northside Chiropractic."
    assert template.render({"PracticePhone": "1"}) == "Hi there, call 1 or ."
    assert template.missing({"PracticePhone": "1"}) == ["PracticeName"]


def test_tokens_of_other_products_mean_the_same():
    assert parse("[Contact.FirstName] {{PatientFirstName}}").render(VALUES) == "Ana Ana"
    assert parse("[contact.firstname|friend]").render({}) == "friend"
    assert parse("[see below] [a.b] (1)").render({}) == "[see below] [a.b] (1)"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("{{Diagnosis}}", "no clinical"),
        ("{{InsuranceCompany}}", "no clinical"),
        ("{{PatientCell}}", "no clinical"),
        ("{{Nickname}}", "not a merge field"),
        ("[Contact.Nickname]", "not a merge field"),
        ("{{ patient.practice.users.0.password }}", "cannot be read"),
        ("{{PatientFirstName|a|b}}", "cannot be read"),
        ("{{7*7}}", "cannot be read"),
        ("Hi {{PatientFirstName", "without its"),
        ("Hi PatientFirstName}}", "without its"),
    ],
)
def test_an_unknown_or_unsafe_field_is_an_error_when_saving(words, says):
    with pytest.raises(MergeError, match=says):
        parse(words)


@given(anything)
def test_any_words_either_parse_or_say_what_is_wrong(words):
    try:
        template = parse(words)
    except MergeError as error:
        assert str(error)
    else:
        assert template.fields or template.render({}) == words


@given(anything)
def test_a_value_is_text_and_never_code(value):
    """Whatever a name contains, it comes out as it went in: one pass, nothing evaluated, nothing escaped away."""
    cleaned = clean(value)
    assert parse("<{{PatientFirstName}}>").render({"PatientFirstName": cleaned}) == f"<{cleaned}>"
    assert parse("{{PatientFirstName}}").render({"PatientFirstName": cleaned}, html.escape) == html.escape(cleaned)


@given(anything)
def test_a_value_cannot_break_a_line_a_header_or_the_reading_direction(value):
    cleaned = clean(value)
    assert not set(cleaned) & set("\r\n\x00\u202e\u2066\u2028\x85")
    assert cleaned == cleaned.strip()
    cleaned.encode("utf-8")
