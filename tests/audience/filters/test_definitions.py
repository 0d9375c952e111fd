"""What a definition may say, and how a wrong one is refused: with a sentence, never as "everyone"."""

import datetime as dt

import pytest
from django.http import QueryDict

from audience.filters import REGISTRY, Audience, BadDefinition, validate
from audience.filters.choices import ColumnWords, Rows
from audience.filters.fields import Beginnings, ValuesForm
from audience.filters.people import age_on, last_birth_date
from audience.models import Patient
from campaigns.models import Campaign
from tests.factories import PatientFactory, TagFactory
from trackstat.tenancy.scope import practice_scope

TODAY = dt.date(2026, 11, 21)
ADULTS = {"key": "age", "mode": "include", "value": {"min": 18}}
LAST_VISIT = {"key": "last_visit", "value": {"range": "ago", "least": 6, "most": 18, "unit": "months"}}


def picked(key, name="Ours"):
    """One row, made now, for each field that picks rows and needs one; a word for those that need words."""
    found = {}
    for field_name, field in REGISTRY[key].form.base_fields.items():
        if isinstance(field, Rows) and field.required:
            found[field_name] = [make(field.model, name).pk]
        elif isinstance(field, ColumnWords | Beginnings) and field.required:
            found[field_name] = ["02118"]
    return found | ({"beginnings": ["M54"]} if key == "diagnosis" else {})


def make(model, name="Ours"):
    names = {each.name for each in model._meta.fields}
    given = {"system": "own", "code": name} if "code" in names else {"name": name}
    given |= {"external_id": name} if "external_id" in names else {}
    return model.objects.create(**given | ({"kind": "blast"} if model is Campaign else {}))


def only(key, value, mode="include"):
    return {"primary": None, "filters": [{"key": key, "mode": mode, "value": value}]}


@pytest.mark.parametrize(
    "definition",
    [
        None,
        [],
        "everyone",
        7,
        {"primary": None, "filters": []},
        {},
        {"primary": None, "filters": None},
        {"primary": None, "filters": {}},
        {"primary": None, "filters": [], "or": []},
        {"primary": "last_visit", "filters": []},
        {"primary": {"key": "last_visit"}, "filters": []},
        {"primary": {"key": "age", "value": {"min": 18}}, "filters": []},
        {"primary": LAST_VISIT | {"mode": "exclude"}, "filters": []},
        {"primary": LAST_VISIT, "filters": [None]},
        {"primary": LAST_VISIT, "filters": [ADULTS | {"mode": "maybe"}]},
        {"primary": LAST_VISIT, "filters": [ADULTS | {"mode": ["include"]}]},
        {"primary": LAST_VISIT, "filters": [ADULTS | {"note": "x"}]},
        {"primary": LAST_VISIT, "filters": [ADULTS] * 41},
        only("shoe_size", {}),
        only("", {}),
        only(None, {}),
        only(["age"], {"min": 18}),
        only("age", {}),
        only("age", None),
        only("age", []),
        only("age", {"min": None, "max": None}),
        only("age", {"min": "old"}),
        only("age", {"min": -1}),
        only("age", {"min": 131}),
        only("age", {"min": 65, "max": 18}),
        only("age", {"min": 18, "height": 180}),
        only("age", {"min": True}),
        only("age", {"min": 18.5}),
        only("age", {"min": [18]}),
        only("age", {"min": {"gt": 18}}),
        only("age", {"min": 10**30}),
        only("sex", {"sex": []}),
        only("sex", {"sex": "female"}),
        only("sex", {"sex": ["robot"]}),
        only("sex", {"sex": [["female"]]}),
        only("status", {"status": "gone"}),
        only("status", {"status": "inactive", "reasons": ["bored"]}),
        only("has_future_appointment", {}),
        only("has_future_appointment", {"has": "perhaps"}),
        only("tags", {"match": "any", "tags": []}),
        only("tags", {"match": "some", "tags": [1]}),
        only("tags", {"match": "any", "tags": ["VIP"]}),
        only("tags", {"match": "any", "tags": [0]}),
        only("tags", {"match": "any", "tags": [2**63]}),
        only("tags", {"match": "any", "tags": list(range(1, 60))}),
        only("tags", {"match": "any", "tags": "1; DROP TABLE"}),
        only("has_future_appointment", {"has": "yes", "purposes": ["Massage"]}),
        only("purpose", {"which": "appointment", "purposes": []}),
        only("purpose", {"which": "someday", "purposes": [1]}),
        only("purpose", {"which": "appointment", "range": "whenever", "purposes": [1]}),
        only("provider", {"which": "primary", "providers": [True]}),
        only("provider", {"which": "primary", "providers": {"pk": 1}}),
        only("visit_count", {"compare": "more", "visits": 3}),
        only("visit_count", {"compare": "exactly"}),
        only("visit_count", {"compare": "exactly", "visits": -1}),
        only("birthday_month", {"months": ["13"]}),
        only("birthday_month", {"months": []}),
        only("service", {"range": "ever"}),
        only("service", {"range": "next", "most": 7, "unit": "days", "codes": [1]}),
        only("diagnosis", {"which": "ever"}),
        only("diagnosis", {"which": "ever", "beginnings": ["M54%"]}),
        only("diagnosis", {"which": "ever", "beginnings": ["M" * 13]}),
        only("diagnosis", {"which": "ever", "beginnings": [f"M{n}" for n in range(101)]}),
        only("case_type", {"which": "closed", "types": [1]}),
        only("care_phase", {"phases": ["bored"]}),
        only("insurer", {"which": "now", "insurers": list(range(1, 60))}),
        only("total_paid", {}),
        only("total_paid", {"min": "a lot"}),
        only("total_paid", {"min": "1.005"}),
        only("total_paid", {"min": "NaN"}),
        only("total_paid", {"min": "1e30"}),
        only("total_paid", {"min": "1e400000000"}),
        only("total_paid", {"min": 10**12}),
        only("total_paid", {"min": 99.5}),
        only("total_paid", {"min": "500", "max": "100"}),
        only("city", {"cities": []}),
        only("city", {"cities": [" "]}),
        only("city", {"cities": ["Bos\x00ton"]}),
        only("city", {"cities": ["x" * 201]}),
        only("zip", {"zips": []}),
        only("zip", {"zips": ["0"]}),
        only("zip", {"zips": ["02*"]}),
        only("zip", {"zips": ["02118", "'; --"]}),
        only("reachable", {"by": "fax", "category": "announcement"}),
        only("reachable", {"by": "text", "category": "everything"}),
        only("household", {"what": "surname"}),
        only("received", {"campaigns": ["Autumn"], "range": "ever"}),
        only("replied", {"campaigns": [], "days": 0}),
        only("last_visit", {"range": "whenever"}),
        only("last_visit", {"range": "ago", "unit": "months"}),
        only("last_visit", {"range": "ago", "least": 18, "most": 6, "unit": "months"}),
        only("last_visit", {"range": "ago", "least": 6, "most": 18, "unit": "fortnights"}),
        only("last_visit", {"range": "last", "most": 10**9, "unit": "years"}),
        only("last_visit", {"range": "between"}),
        only("last_visit", {"range": "between", "start": "2026-02-30"}),
        only("last_visit", {"range": "between", "start": "2026-05-01", "end": "2026-04-01"}),
        only("last_visit", {"range": "between", "end": "9999-12-31"}),
        only("last_visit", {"range": "between", "start": "\x00"}),
        only("last_visit", {"range": "next", "most": 7, "unit": "days"}),
        only("next_visit", {"range": "ago", "least": 6, "most": 18, "unit": "months"}),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(definition, in_northside):
    with pytest.raises(BadDefinition) as refused:
        validate(definition)
    with pytest.raises(BadDefinition):
        Audience(in_northside, definition, TODAY)
    assert str(refused.value).endswith((".", "?")) and len(str(refused.value)) > 15


def test_a_filter_is_needed_unless_something_else_narrows_the_audience(in_northside):
    PatientFactory()
    with pytest.raises(BadDefinition, match="Choose a date range or add a filter"):
        validate({"primary": None, "filters": []})
    for blank in ({}, {"primary": None, "filters": []}):
        assert Audience(in_northside, blank, TODAY, may_be_blank=True).count() == 1


def test_an_unknown_required_field_is_refused(in_northside):
    with pytest.raises(BadDefinition, match="fax"):
        Audience(in_northside, {"primary": None, "filters": [ADULTS]}, TODAY, require=["fax"])


@pytest.mark.parametrize(
    "match,mode", [("any", "include"), ("none", "include"), ("any", "exclude"), ("all", "exclude")]
)
def test_a_deleted_or_foreign_tag_finds_nobody_instead_of_everybody(match, mode, in_northside, southside):
    PatientFactory()
    gone = TagFactory()
    with practice_scope(southside):
        theirs = TagFactory(name="theirs")
    ids = [gone.pk, theirs.pk]
    gone.delete()
    for pk in ids:
        definition = only("tags", {"match": match, "tags": [pk]}, mode)
        with pytest.raises(BadDefinition, match="no longer exists"):
            validate(definition)
        audience = Audience(in_northside, definition, TODAY)
        assert audience.count() == 0
        assert audience.breakdown().count == 0


@pytest.mark.parametrize("mode", ["include", "exclude"])
@pytest.mark.parametrize(
    "key,name",
    [
        (each.key, name)
        for each in REGISTRY.values()
        for name, field in each.form.base_fields.items()
        if isinstance(field, Rows)
    ],
)
def test_no_filter_takes_another_practices_rows(key, name, mode, in_northside, southside):
    """To a definition they are rows that are gone: it is refused, and one already stored finds nobody."""
    PatientFactory()
    model = REGISTRY[key].form.base_fields[name].model
    with practice_scope(southside):
        theirs = make(model, "Theirs").pk
    ours = make(model).pk
    value = REGISTRY[key].initial | picked(key, "More of ours") | {name: [ours, theirs]}
    definition = only(key, value, mode)
    with pytest.raises(BadDefinition, match="no longer exists"):
        validate(definition)
    audience = Audience(in_northside, definition, TODAY)
    assert audience.count() == 0
    assert "Theirs" not in audience.sentence()
    validate(only(key, value | {name: [ours]}, mode))


@pytest.mark.parametrize("typed,stored,said", [("$2,000", "2000", "$2,000.00"), ("99.50", "99.50", "$99.50")])
def test_dollars_are_typed_and_stored_as_people_say_them(typed, stored, said):
    form = REGISTRY["total_paid"].form.of({"min": typed})
    assert form.is_valid() and form.json == {"min": stored}
    again = REGISTRY["total_paid"].form.of(form.json)
    assert again.is_valid() and again.json == form.json
    assert REGISTRY["total_paid"].describe(form.cleaned_data) == f"total paid {said} or more"


def test_codes_are_typed_in_one_line_and_each_counts_once():
    data = QueryDict(mutable=True)
    data["f0-zips"] = " 02118, m5v;021  02118"
    form = REGISTRY["zip"].form(data, prefix="f0")
    assert form.is_valid() and form.json == {"zips": ["02118", "M5V", "021"]}
    assert 'value="02118, M5V, 021"' in str(REGISTRY["zip"].form.of(form.json)["zips"])


def test_no_page_says_what_a_patient_has_paid(in_northside):
    patient = PatientFactory(total_paid_cents=123456)
    for value in ({"min": "1000"}, {"max": "1000"}, {"min": "2000"}, {"min": "1000", "max": "2000"}):
        (line,) = Audience(in_northside, only("total_paid", value), TODAY).explain(patient).filters
        assert "1,234" not in line.why and line.why.startswith("Has paid")


def test_strings_from_a_form_mean_the_same_as_numbers():
    form = REGISTRY["age"].form.of({"min": "18", "max": ""})
    assert form.is_valid() and form.json == {"min": 18}


def test_what_a_range_does_not_use_is_not_kept():
    form = REGISTRY["last_visit"].form.of({"range": "today", "least": 6, "start": "2026-01-01"})
    assert form.is_valid() and form.json == {"range": "today"}


@pytest.mark.parametrize("key", REGISTRY)
def test_every_filter_starts_with_a_value_that_says_what_it_means_and_survives_storing(key, in_northside):
    filter_ = REGISTRY[key]
    initial = filter_.initial | picked(key)
    form: ValuesForm = filter_.form.of(initial)
    assert form.is_valid(), form.errors
    assert form.json == initial
    assert filter_.describe(form.cleaned_data)
    assert set(filter_.shape()) == set(filter_.form.base_fields)


def test_an_audience_is_counted_paged_and_listed_by_one_statement_each(in_northside, django_assert_num_queries):
    for n in range(3):
        PatientFactory(last_name=f"L{n}")
    tag = TagFactory()
    definition = {
        "primary": None,
        "filters": [ADULTS, {"key": "tags", "mode": "exclude", "value": {"match": "any", "tags": [tag.pk]}}],
    }
    in_northside.tz  # noqa: B018 (the practice's settings are read once)
    with django_assert_num_queries(1):
        assert Audience(in_northside, definition, TODAY, ["cell", "email", "address"]).count() == 3
    with django_assert_num_queries(1):
        assert len(Audience(in_northside, definition, TODAY).ids()) == 3
    with django_assert_num_queries(1):
        [last] = Audience(in_northside, definition, TODAY).page(2, 2)
    assert Patient.objects.get(pk=last).last_name == "L2"
    # One for the tag's name.
    with django_assert_num_queries(3):
        Audience(in_northside, definition, TODAY, ["cell"]).breakdown()


def test_the_sentence_says_all_filters_in_plain_words(in_northside):
    tag = TagFactory(name="VIP")
    definition = {
        "primary": LAST_VISIT,
        "filters": [
            {"key": "has_future_appointment", "mode": "include", "value": {"has": "no"}},
            ADULTS,
            {"key": "tags", "mode": "exclude", "value": {"match": "any", "tags": [tag.pk]}},
        ],
    }
    audience = Audience(in_northside, definition, TODAY)
    assert audience.sentence() == (
        "Patients with last visit 6 to 18 months ago, no future appointment and age 18 or older, without tag “VIP”."
    )
    assert audience.sentences() == [
        "Last visit 6 to 18 months ago",
        "No future appointment",
        "Age 18 or older",
        "Not tag “VIP”",
    ]


@pytest.mark.parametrize(
    "born,on,age",
    [
        ("2008-02-29", "2026-02-27", 17),
        ("2008-02-29", "2026-02-28", 18),
        ("2008-02-29", "2028-02-28", 19),
        ("2008-02-29", "2028-02-29", 20),
        ("2008-03-01", "2028-02-29", 19),
        ("2008-11-21", "2026-11-21", 18),
        ("2008-11-22", "2026-11-21", 17),
    ],
)
def test_ages_on_leap_days(born, on, age):
    born, on = dt.date.fromisoformat(born), dt.date.fromisoformat(on)
    assert age_on(born, on) == age
    assert born <= last_birth_date(on, age)
    assert born > last_birth_date(on, age + 1)
