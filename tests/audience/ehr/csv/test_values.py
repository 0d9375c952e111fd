"""Dates, times, money, names and phones as such systems write them."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from audience.ehr.csv import values
from audience.ehr.csv.values import Ways
from audience.ehr.records import Rejected

US = Ways("mdy", ".", dt.date(2026, 11, 21), ZoneInfo("America/New_York"))
EUROPE = US._replace(dates="dmy", decimal=",")


@pytest.mark.parametrize(
    ("written", "ways", "meant"),
    [
        ("3/4/2026", US, (2026, 3, 4)), ("03/04/2026", EUROPE, (2026, 4, 3)), ("2026-03-04", US, (2026, 3, 4)),
        ("2026-03-04", EUROPE, (2026, 3, 4)), ("20260304", US, (2026, 3, 4)), ("3-4-26", US, (2026, 3, 4)),
        ("4.3.2026", EUROPE, (2026, 3, 4)), ("26/03/04", US._replace(dates="ymd"), (2026, 3, 4)),
        ("03/04/2026", US._replace(dates="ymd"), (2026, 3, 4)), ("Mar 4, 2026", US, (2026, 3, 4)),
        ("4-Mar-2026", US, (2026, 3, 4)), ("March 4th, 2026", US, (2026, 3, 4)), ("Wed, 3/4/2026", US, (2026, 3, 4)),
        ("3/4/2026 12:00:00 AM", US, (2026, 3, 4)), ("2026-03-04T00:00:00", US, (2026, 3, 4)),
        ("2026-03-04 00:00:00.000", US, (2026, 3, 4)), (" 3/4/2026 ", US, (2026, 3, 4)),
        ("12/31/99", US, (1999, 12, 31)),
        ("12/31/46", US, (2046, 12, 31)),
    ],
)  # fmt: skip
def test_a_date(written, ways, meant):
    assert values.day(written, "It", ways) == dt.date(*meant)


@pytest.mark.parametrize("written", ["", " ", "0", "00/00/0000", "0000-00-00", "N/A", "none", "--"])
def test_no_date(written):
    assert values.day(written, "It", US) is None


@pytest.mark.parametrize(
    ("written", "ways", "reason"),
    [
        ("13/4/2026", US, "It is not a date, month first"),
        ("4/13/2026", EUROPE, "It is not a date, day first"),
        ("2/30/2026", US, "It is not a date, month first"),
        (
            "4.3.2026",
            US,
            "It is not a date; with dots it is read only where the mapping says that the day stands first",
        ),
        ("3/4", US, "It is not a date, month first"),
        ("soon", US, "It is not a date, month first"),
        ("1/1/0226", US, "It lies in the year 226"),
        ("٣/٤/٢٠٢٦٠", US, "It is not a date, month first"),
    ],
)
def test_what_is_no_date_is_refused(written, ways, reason):
    with pytest.raises(Rejected, match=f"^{reason.replace('.', '[.]')}$"):
        values.day(written, "It", ways)


def test_a_year_of_birth_of_two_digits_lies_in_the_past():
    assert values.birthday("3/12/84", US) == dt.date(1984, 3, 12)
    assert values.birthday("12/31/26", US) == dt.date(1926, 12, 31)
    assert values.birthday("2/29/40", US) == dt.date(1940, 2, 29)
    assert values.birthday("1/1/1900", US) is None
    assert values.birthday("3/12/2027", US) == dt.date(2027, 3, 12), "as it is written"


@pytest.mark.parametrize(
    ("written", "time", "utc"),
    [
        ("10/5/2026", "10:00 AM", (10, 5, 14, 0)), ("10/5/2026 2:30 PM", "", (10, 5, 18, 30)),
        ("2026-10-05", "14:30", (10, 5, 18, 30)), ("2026-10-05T14:30:00Z", "", (10, 5, 14, 30)),
        ("2026-10-05T14:30:00-07:00", "", (10, 5, 21, 30)), ("2026-10-05 14:30", "", (10, 5, 18, 30)),
        ("10/5/2026 12:00:00 AM", "1430", (10, 5, 18, 30)), ("10/5/2026", "1/1/1900 2:30:00 PM", (10, 5, 18, 30)),
        ("10/5/2026", "2:30p", (10, 5, 18, 30)), ("10/5/2026", "12 pm", (10, 5, 16, 0)),
        ("Oct 5, 2026 2:30 p.m.", "", (10, 5, 18, 30)), ("10/5/2026", "12:15 AM", (10, 5, 4, 15)),
        # Summer time: an hour that there is not is an hour later, one that comes twice is the first.
        ("3/8/2026", "2:30 AM", (3, 8, 7, 30)), ("11/1/2026", "1:30 AM", (11, 1, 5, 30)),
    ],
)  # fmt: skip
def test_a_moment_is_of_the_practices_own_zone(written, time, utc):
    assert values.moment(written, time, "It", US) == dt.datetime(2026, *utc, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("written", "time", "reason"),
    [
        ("10/5/2026", "", "It has a day and no time"),
        ("Mar 4, 2026", "", "It has a day and no time"),
        ("10/5/2026", "25:00", "It has no time that can be read"),
        ("10/5/2026", "13:00 PM", "It has no time that can be read"),
        ("10/5/2026", "noon", "It has no time that can be read"),
        ("2:30 PM", "", "It is not a date, month first"),
    ],
)
def test_what_is_no_moment_is_refused(written, time, reason):
    with pytest.raises(Rejected, match=f"^{reason}$"):
        values.moment(written, time, "It", US)


@pytest.mark.parametrize(
    ("written", "ways", "cents"),
    [
        ("$1,234.50", US, 123450), ("1234.5", US, 123450), ("(12.00)", US, -1200), ("-12", US, -1200),
        ("12.00-", US, -1200),
        ("($12.00)", US, -1200), ("$ 12", US, 1200), ("-$12.005", US, -1201), ("", US, None), ("-", US, None),
        (".5", US, 50), ("0.00", US, 0), ("USD 5", US, 500), ("1,234,567.00", US, 123456700),
        ("1.234,50", EUROPE, 123450), ("1 234,50 €", EUROPE, 123450), ("12,00-", EUROPE, -1200),
        ("(12,5)", EUROPE, -1250),
    ],
)  # fmt: skip
def test_money(written, ways, cents):
    assert values.cents(written, ways) == cents


@pytest.mark.parametrize(
    ("written", "ways"),
    [("12,50", US), ("1.234.5", US), ("1,23.00", US), ("12.50", EUROPE), ("abc", US), ("12 CR", US), ("$", US),
     (".", US),
     ("1e9", US), ("NaN", US), ("9" * 25, US), ("99999999999.00", US)],
)  # fmt: skip
def test_what_is_no_money_is_refused(written, ways):
    with pytest.raises(Rejected, match=r"^The amount "):
        values.cents(written, ways)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Alvarez, Ana M.", ("Ana", "", "Alvarez")), ("Ana Alvarez", ("Ana", "", "Alvarez")),
        ("Ana M Alvarez", ("Ana", "", "Alvarez")), ("de la Cruz, Mary Ann", ("Mary Ann", "", "de la Cruz")),
        ("Smith Jr., John", ("John", "", "Smith Jr.")), ("Smith, John, Jr.", ("John", "", "Smith Jr.")),
        ("Smith, Jr., John", ("John", "", "Smith Jr.")), ("John Smith III", ("John", "", "Smith III")),
        ("Smith, Robert (Bob)", ("Robert", "Bob", "Smith")), ('Robert "Bob" Smith', ("Robert", "Bob", "Smith")),
        ("Cher", ("Cher", "", "")), ("Nguyễn, Thị", ("Thị", "", "Nguyễn")),
    ],
)  # fmt: skip
def test_a_whole_name(written, name):
    assert values.whole_name(written) == name


def test_phones_in_one_field_are_told_apart_by_what_stands_beside_them():
    assert values.phones("C: 617-555-0111 / H: (617) 555-0122; 617.555.0133 (work)") == [
        ("cell", "+16175550111"),
        ("", "+16175550122"),
        ("work", "+16175550133"),
    ]
    assert values.phones("617-555-0111 x12") == [("", "+16175550111")]
    assert values.phones("Cell 617-555-0111 ext. 4") == [("", "+16175550111")], "an extension rings a switchboard"
    assert values.phones("none") == []
