"""The EHR's marketing flag in the consent ledger."""

import pytest

from audience import consent
from audience.ehr.run import import_folder
from audience.models import ConsentEvent, ContactPoint, Patient
from tests.audience.ehr.exports import own, patient, write
from trackstat.tenancy.scope import practice_scope


@pytest.fixture
def export(tmp_path):
    return tmp_path / "export"


def flagged(says: bool | None, id="p1", **fields):
    return patient(id, extension=[] if says is None else [own("marketing-ok", says)], **fields)


def standing(practice) -> tuple[dict[str, bool], list[tuple]]:
    """Whether each channel is opted out of announcements, and what the ledger says of announcements."""
    with practice_scope(practice):
        out = {point.channel: point.opted_out_of("announcement") for point in ContactPoint.objects.all()}
        events = ConsentEvent.objects.filter(purpose="announcement", contact_point__channel="text").order_by("pk")
        return out, list(events.values_list("given", "source"))


def test_a_refusal_in_the_ehr_opts_out_of_announcements_only_and_is_in_the_ledger_once(northside, export):
    import_folder(northside, write(export, flagged(False)))
    import_folder(northside, export)
    import_folder(northside, write(export, flagged(False, gender="male")))
    assert standing(northside) == ({"text": True, "email": True}, [(False, "ehr")])
    with practice_scope(northside):
        assert Patient.objects.get().can_text, "appointment messages may still be sent"


def test_a_yes_is_in_the_ledger_and_takes_back_only_the_ehrs_own_no(northside, export):
    import_folder(northside, write(export, flagged(False)))
    import_folder(northside, write(export, flagged(True)))
    assert standing(northside) == ({"text": False, "email": False}, [(False, "ehr"), (True, "ehr")])
    with practice_scope(northside):
        consent.opt_out("text", "+16175550111", "announcement", "reply", wording="no more ads")
    import_folder(northside, write(export, flagged(None)))
    import_folder(northside, write(export, flagged(True)))
    assert standing(northside)[0] == {"text": True, "email": False}


def test_one_refusal_holds_for_everyone_who_shares_the_phone(northside, export):
    import_folder(northside, write(export, flagged(True, "p1"), flagged(False, "p2")))
    assert standing(northside)[0]["text"]
    import_folder(northside, write(export, flagged(True, "p1", gender="male")))
    assert standing(northside)[0]["text"]
    import_folder(northside, write(export, flagged(True, "p2")))
    assert not standing(northside)[0]["text"]


def test_staff_who_let_somebody_in_again_are_not_overruled_by_the_same_flag(northside, export):
    import_folder(northside, write(export, flagged(False)))
    with practice_scope(northside):
        consent.opt_in("text", "+16175550111", "announcement", "staff")
    import_folder(northside, write(export, flagged(False, gender="male")))
    assert not standing(northside)[0]["text"]
    moved = flagged(False, telecom=[{"system": "phone", "use": "mobile", "value": "617-555-0155"}])
    import_folder(northside, write(export, moved))
    with practice_scope(northside):
        assert ContactPoint.objects.get(address="+16175550155").opted_out_of("announcement"), "a new number, asked anew"


def test_no_flag_says_nothing(northside, export):
    import_folder(northside, write(export, flagged(None)))
    assert standing(northside) == ({"text": False, "email": False}, [])


@pytest.mark.parametrize(
    ("field", "value", "ok"),
    [("marketing-ok", True, True), ("no-marketing", True, False), ("Marketing-Opt-Out", "No", True),
     ("do_not_market", "Y", False), ("marketing", "no", False), ("marketing", "perhaps", None)],
)  # fmt: skip
def test_the_flag_is_read_whichever_way_round_the_ehr_asks(northside, export, field, value, ok):
    import_folder(northside, write(export, patient(extension=[own(field, value)])))
    with practice_scope(northside):
        assert Patient.objects.get().marketing_ok is ok
