"""Bringing opt-outs of an earlier system over by a page."""

from django.core.files.uploadedfile import SimpleUploadedFile

from audience import opt_out_lists
from audience.models import ConsentEvent, ContactPoint, OptOutList
from tests.factories import PatientFactory
from trackstat.tenancy.models import AuditEvent
from trackstat.tenancy.scope import practice_scope

CSV = b"Phone,Date,Note\n(617) 555-0134,11/02/2026,said so\n(617) 555-0135,11/03/2026,\nnobody,11/04/2026,\n"


def brought(olive, content=CSV, name="old system.csv", **more):
    answer = olive.post("opt-outs/", {"file": SimpleUploadedFile(name, content), "scope": "all"} | more, follow=False)
    with practice_scope(olive.practice):
        return answer, OptOutList.objects.order_by("-pk").first()


def test_a_list_is_read_in_the_background_and_says_what_became_of_it(olive, northside):
    with practice_scope(northside):
        PatientFactory(cell="+16175550134")
    answer, taken = brought(olive)
    where = f"opt-outs/{taken.pk}/"
    assert answer["Location"].endswith(where)
    assert "5550134" not in taken.encrypted_content, "what waits is not readable for who sees the database"
    page = olive.get(where)
    assert "Being read" in page and "every 2s" in page
    with practice_scope(northside):
        assert not ConsentEvent.objects.exists()
    opt_out_lists.read(northside, taken.pk)
    page = olive.get(where)
    assert "every 2s" not in page and "Not understood" in page
    with practice_scope(northside):
        taken.refresh_from_db()
        assert (taken.state, taken.encrypted_content) == ("done", "")
        assert (taken.counts["new"], taken.counts["rejected"]) == (2, 1)
        assert ContactPoint.objects.get(address="+16175550134").all_opted_out_at
        assert ConsentEvent.objects.filter(source=ConsentEvent.Source.FILE, given=False).count() == 2
        assert AuditEvent.objects.get(action="consent.list_taken").detail == {"bytes": len(CSV), "scope": "all"}
    listed = olive.get("opt-outs/")
    assert "old system.csv" in listed and 'data-label="Opted out">2<' in listed


def test_the_same_list_again_opts_nobody_out_twice(olive, northside):
    for expected in ({"new": 2}, {"unchanged": 2}):
        _, taken = brought(olive)
        opt_out_lists.read(northside, taken.pk)
        opt_out_lists.read(northside, taken.pk)
        with practice_scope(northside):
            taken.refresh_from_db()
            assert expected.items() <= taken.counts.items()
            assert ConsentEvent.objects.count() == 2


def test_what_is_no_list_is_said_in_words_and_changes_nothing(olive, northside):
    answer, _ = brought(olive, content=b"")
    assert answer.status_code == 422
    _, taken = brought(olive, content=b"PK\x03\x04 spreadsheet", name="list.xlsx")
    opt_out_lists.read(northside, taken.pk)
    page = olive.get(f"opt-outs/{taken.pk}/")
    assert "save it as CSV" in page
    with practice_scope(northside):
        assert not ConsentEvent.objects.exists()


def test_a_list_that_is_too_large_is_refused(olive, monkeypatch):
    monkeypatch.setattr(opt_out_lists, "LARGEST", 10)
    answer, taken = brought(olive)
    assert (answer.status_code, taken) == (422, None)
    assert "Split it" in answer.text
