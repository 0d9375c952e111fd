"""Opt-outs that a list brings over into the consent ledger."""

import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from audience import consent
from audience.ehr.csv.lists import ListReader, dry_run_opt_outs, import_opt_outs
from audience.ehr.run import import_folder
from audience.models import ConsentEvent, ContactPoint, Patient
from tests.audience.ehr import exports
from tests.audience.ehr.csv.drops import bring, patient, rejections, write
from tests.audience.ehr.outcome import state
from trackstat.tenancy.scope import practice_scope

CELL = "+16175550111"
NOON = dt.datetime(2026, 11, 21, 17, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def now(clock):
    clock.at(NOON)


def row(**columns) -> dict[str, str]:
    return {"Phone": "(617) 555-0111", "Date": "3/4/2025"} | columns


def bring_list(practice, folder, *rows, scope="all", **how):
    write(folder, "optouts.csv", *rows)
    return import_opt_outs(practice, ListReader(folder / "optouts.csv", scope=scope), **how)


def ledger(practice, address=CELL) -> list[tuple]:
    """What was withdrawn or given back, and on which day; not what the EHR's bringing the address itself means."""
    with practice_scope(practice):
        events = ConsentEvent.objects.filter(contact_point__address=address).exclude(source="ehr", given=True)
        return [
            (event.purpose, event.given, event.source, f"{event.at:%Y-%m-%d}", event.wording)
            for event in events.order_by("pk")
        ]


def can_text(practice) -> list[bool]:
    with practice_scope(practice):
        return list(Patient.objects.order_by("external_id").values_list("can_text", flat=True))


def test_an_opt_out_holds_for_everyone_who_shares_the_number_and_is_in_the_ledger_with_its_date(northside, tmp_path):
    bring(northside, write(tmp_path / "drop", "patients.csv", patient("p1"), patient("p2")))
    run = bring_list(northside, tmp_path, row(Note="STOP"), row(Phone="617-555-0199", Date=""))
    assert run.counts == {"OptOut": {"read": 2, "new": 2}}
    assert can_text(northside) == [False, False]
    assert ledger(northside) == [("all", False, "file", "2025-03-04", "From optouts.csv: STOP")]
    with practice_scope(northside):
        nobodys = ContactPoint.objects.get(address="+16175550199")
        assert nobodys.all_opted_out_at, "a number nobody has is kept for whoever gets it"
    bring(northside, write(tmp_path / "drop", "patients.csv", patient("p3", **{"Cell Phone": "617 555 0199"})))
    assert can_text(northside)[2] is False


def test_the_same_list_again_changes_nothing(northside, tmp_path):
    bring(northside, write(tmp_path / "drop", "patients.csv", patient()))
    rows = [row(), row(Phone="", Email="Ana@Mailbox.example", Date=""), row(Scope="marketing", Date="5/6/2025")]
    bring_list(northside, tmp_path, *rows)
    before, said = state(northside), ledger(northside)
    assert bring_list(northside, tmp_path, *rows).counts == {"OptOut": {"read": 3, "unchanged": 3}}
    assert (state(northside), ledger(northside)) == (before, said)


def test_an_older_opt_out_does_not_undo_that_the_patient_came_back_a_newer_one_does(northside, tmp_path, clock):
    bring(northside, write(tmp_path / "drop", "patients.csv", patient()))
    bring_list(northside, tmp_path, row())
    with practice_scope(northside):
        consent.opt_in("text", CELL, "all", "reply", "START")
    assert can_text(northside) == [True]
    again = bring_list(northside, tmp_path, row(), row(Date="11/20/2026"), row(Date=""))
    assert again.left_out == {"OptOut": {"They asked for messages again since": 1}}
    assert again.counts["OptOut"] == {"read": 3, "unchanged": 2, "left_out": 1}
    assert can_text(northside) == [True]
    clock.at(NOON + dt.timedelta(days=3))
    assert bring_list(northside, tmp_path, row(Date="11/23/2026")).counts["OptOut"]["new"] == 1
    assert can_text(northside) == [False]


def test_of_announcements_only_appointment_messages_may_still_be_sent(northside, tmp_path):
    bring(northside, write(tmp_path / "drop", "patients.csv", patient()))
    bring_list(northside, tmp_path, row(), scope="announcement")
    assert can_text(northside) == [True]
    with practice_scope(northside):
        point = ContactPoint.objects.get(address=CELL)
        assert (point.opted_out_of("announcement"), point.opted_out_of("appointment")) == (True, False)


def test_a_marketing_flag_does_not_take_back_what_a_list_or_the_patient_said(northside, tmp_path):
    drop = tmp_path / "drop"
    flag = "Patient Marketing"
    write(drop, "optouts.csv", row(Scope="marketing"))
    for says in ("Yes", "No", "Yes"):
        bring(northside, write(drop, "patients.csv", patient(**{flag: says})))
        with practice_scope(northside):
            assert ContactPoint.objects.get(address=CELL).opted_out_of("announcement"), says
    with practice_scope(northside):
        consent.opt_out("email", "ana@mailbox.example", "announcement", "unsubscribe")
    for says in ("No", "Yes"):
        bring(northside, write(drop, "patients.csv", patient(**{flag: says})))
        with practice_scope(northside):
            assert ContactPoint.objects.get(channel="email").opted_out_of("announcement"), says


def test_patients_by_id_are_those_of_the_practices_ehr_with_all_that_they_have(northside, tmp_path):
    import_folder(northside, exports.write(tmp_path / "fhir", exports.patient("p1"), exports.patient("p2", telecom=[])))
    rows = [{"Patient ID": id, "Channel": channel} for id, channel in (("p1", ""), ("p2", "Text"), ("p9", ""))]
    run = bring_list(northside, tmp_path, *rows)
    assert run.counts["OptOut"] == {"read": 3, "new": 1, "left_out": 1, "rejected": 1}
    assert run.left_out == {"OptOut": {"The patient has no number or mailbox for it": 1}}
    with practice_scope(northside):
        assert ContactPoint.objects.filter(all_opted_out_at__isnull=False).count() == 2
        assert not Patient.objects.filter(external_id="p1", can_email=True).exists()


def test_in_a_drop_they_come_before_the_patients_can_be_written_to(northside, tmp_path, monkeypatch):
    write(tmp_path, "Opt-Outs.csv", {"Patient ID": "p1", "Opt Out Date": "3/4/2025"})
    write(tmp_path, "patients.csv", patient("p1"), patient("p2", **{"Cell Phone": "", "Home Phone": "617-555-0133"}))
    write(tmp_path, "Do Not Text.csv", {"Patient ID": "p2", "Method": "SMS"})
    run = bring(northside, tmp_path)
    assert (run.counts["OptOut"], rejections(northside, run)) == ({"read": 2, "new": 2}, [])
    with practice_scope(northside):
        assert Patient.objects.filter(can_text=True).count() == 0
        assert not Patient.objects.get(external_id="p1").can_email
        ContactPoint.objects.filter(address="+16175550133").update(line_type="mobile")
    bring(northside, write(tmp_path, "patients.csv", patient("p2", **{"Cell Phone": "", "Home Phone": "617-555-0133"})))
    with practice_scope(northside):
        assert Patient.objects.get(external_id="p2").cell == "+16175550133"
        assert not Patient.objects.get(external_id="p2").can_text, "also a number that turns out to be a cell later"


def test_lines_that_say_nobody_or_nothing_are_rejected_with_the_reason(northside, tmp_path):
    rows = [
        row(Phone="none"),
        row(Date="12/24/2026"),
        row(Date="someday"),
        row(Channel="email"),
        row(Channel="pigeon"),
    ]
    run = bring_list(northside, tmp_path, *rows)
    assert [(line, reason) for _, line, reason in rejections(northside, run)] == [
        (2, "It has no phone number, no email address and no patient id that can be read"),
        (3, "The date is still to come"),
        (4, "The date is not a date, month first"),
        (5, "It has no address for the channel that it names"),
        (6, "“Texts or email” says a word that is not mapped yet"),
    ]


def test_another_practice_with_the_same_number_is_untouched(northside, southside, tmp_path):
    bring(southside, write(tmp_path / "drop", "patients.csv", patient()))
    bring_list(northside, tmp_path, row())
    assert can_text(southside) == [True]
    assert ledger(southside) == []


def test_a_dry_run_counts_and_writes_nothing(northside, tmp_path):
    write(tmp_path, "optouts.csv", row(), row(Phone="x"))
    found = dry_run_opt_outs(northside, ListReader(tmp_path / "optouts.csv"))
    assert found.counts == {"OptOut": {"read": 2, "new": 1, "rejected": 1}}
    with practice_scope(northside):
        assert not ContactPoint.objects.exists()


def run_command(*arguments) -> str:
    out = StringIO()
    call_command("import_opt_outs", *map(str, arguments), stdout=out, stderr=StringIO(), no_color=True)
    return out.getvalue()


def test_the_command_says_what_became_of_the_lines(northside, tmp_path):
    file = write(tmp_path, "optouts.csv", row(), row(Phone="x")) / "optouts.csv"
    assert "Nothing was changed." in run_command("northside", file, "--dry-run", "--of", "announcement")
    out = run_command("northside", file, "--of", "announcement")
    assert ["OptOut", "2", "1", "1"] in [line.split() for line in out.splitlines()]
    assert ledger(northside)[0][0] == "announcement"
    with pytest.raises(CommandError, match="There is no file"):
        run_command("northside", tmp_path / "nowhere.csv")
