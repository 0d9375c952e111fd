import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from audience import consent
from audience.models import ContactPoint, PatientTag
from messaging.compose import Due, compose, materialise, problems, segment_range
from messaging.email_body import as_text, email
from messaging.models import Message
from messaging.words import OPT_OUT_LINE
from tests.factories import (
    CampaignFactory,
    ContentFactory,
    EmailIdentityFactory,
    EnrollmentFactory,
    PatientFactory,
    StepFactory,
    TagFactory,
    TextIdentityFactory,
)
from trackstat.clock import now

pytestmark = pytest.mark.usefixtures("in_northside")


def due_for(patient, campaign=None):
    enrollment = EnrollmentFactory(patient=patient, campaign=campaign or CampaignFactory())
    return Due(enrollment.pk, patient.pk, now(), now() + dt.timedelta(days=2))


def made(content, *patients, category="announcement", identity=None):
    campaign = CampaignFactory()
    step = StepFactory(campaign=campaign, content=content, channel=content.channel)
    kind = EmailIdentityFactory if content.channel == "email" else TextIdentityFactory
    due = [due_for(patient, campaign) for patient in patients]
    count = materialise(content, identity or kind(), category, campaign.pk, step.pk, due)
    again = materialise(content, identity or kind(), category, campaign.pk, step.pk, due)
    assert (count, again) == (len(patients), 0)
    return list(Message.objects.order_by("pk"))


def test_each_patient_gets_one_row_with_their_own_words_and_token():
    ana, ben = PatientFactory(first_name="Ana"), PatientFactory(first_name="")
    first, second = made(ContentFactory(body="Hi {{PatientFirstName|there}}!"), ana, ben)
    assert first.body == f"Hi Ana!\n{OPT_OUT_LINE}"
    assert second.body == f"Hi there!\n{OPT_OUT_LINE}"
    assert first.token != second.token and len(first.token) == 16
    assert first.merge_values == {"PatientFirstName": "Ana"}
    assert (first.state, first.to_address, first.contact_point.address) == ("pending", ana.cell, ana.cell)
    assert first.next_at == first.due_at < first.not_after


def test_the_opt_out_line_goes_with_every_first_text_to_a_number_and_is_counted():
    new, known = PatientFactory(), PatientFactory()
    ContactPoint.objects.filter(address=known.cell).update(introduced_at=now())
    first, second = made(ContentFactory(body="a" * 150), new, known)
    assert first.has_opt_out_line and first.body.endswith(OPT_OUT_LINE) and first.segments == 2
    assert not second.has_opt_out_line and second.body == "a" * 150 and second.segments == 1


def test_whoever_cannot_be_written_to_gets_a_row_born_aborted_with_the_reason():
    tagged, opted_out, landline, gone, without, toll_free, dead = (
        PatientFactory(),
        PatientFactory(),
        PatientFactory(),
        PatientFactory(),
        PatientFactory(cell=""),
        PatientFactory(cell="+18005550100"),
        PatientFactory(inactive_reason="deceased", status="inactive"),
    )
    PatientTag.objects.create(patient=tagged, tag=TagFactory(name="not qualified", always_excluded=True))
    consent.opt_out("text", opted_out.cell, "announcement", "reply", "STOP")
    consent.mark_unusable(ContactPoint.objects.get(address=landline.cell), "landline", "")
    consent.mark_unusable(ContactPoint.objects.get(address=gone.cell), "invalid", "")
    messages = made(ContentFactory(), tagged, opted_out, landline, gone, without, toll_free, dead)
    assert {m.state for m in messages} == {"aborted"}
    assert [m.reason for m in messages] == [
        "not_qualified",
        "opted_out",
        "landline",
        "unusable",
        "no_address",
        "unusable",
        "inactive",
    ]
    assert messages[4].contact_point is None and messages[4].done_at


def test_an_appointment_text_is_held_by_no_tag_and_no_opt_out_of_announcements():
    tagged, opted_out = PatientFactory(), PatientFactory()
    PatientTag.objects.create(patient=tagged, tag=TagFactory(name="not qualified", always_excluded=True))
    consent.opt_out("text", opted_out.cell, "announcement", "reply", "STOP")
    messages = made(ContentFactory(), tagged, opted_out, category="appointment")
    assert [m.state for m in messages] == ["pending", "pending"]


def test_an_address_without_a_contact_point_gets_one():
    patient = PatientFactory()
    patient.cell = "+16175559999"
    patient.save()
    (message,) = made(ContentFactory(), patient)
    assert message.contact_point.address == patient.cell


def test_two_patients_with_one_phone_get_a_row_each():
    ana = PatientFactory()
    assert len(made(ContentFactory(), ana, PatientFactory(cell=ana.cell))) == 2


def test_visit_dates_are_the_practices_and_a_past_next_visit_is_none(northside):
    soon = dt.datetime.combine(now().date() + dt.timedelta(days=30), dt.time(1, 30), ZoneInfo("UTC"))
    there = soon.astimezone(northside.tz)
    ahead = PatientFactory(next_visit_at=soon, last_visit_on=dt.date(2026, 3, 9))
    behind = PatientFactory(next_visit_at=now() - dt.timedelta(days=1))
    content = ContentFactory(body="{{NextVisitDate|soon}} {{NextVisitTime|-}} {{LastVisitDate|never}}")
    first, second = made(content, ahead, behind)
    expected = f"{there:%a}, {there:%b} {there.day} {there.hour % 12 or 12}:{there:%M %p} March 9, 2026"
    assert first.body.startswith(expected)
    assert second.body.startswith("soon - never")


def test_an_email_is_the_same_each_time_it_is_built_and_carries_address_and_way_out(northside):
    patient = PatientFactory(first_name="<b>Ana</b>\r\nBcc: x@example.com")
    content = ContentFactory(
        channel="email",
        subject="Hello {{PatientFirstName}}",
        body="<p>Dear {{PatientFirstName}},</p><script>alert(1)</script><p><a href='https://a.example/x'>Book</a></p>",
    )
    (message,) = made(content, patient)
    assert (message.body, message.segments) == ("", 1)
    built = [email(content.subject, content.body, message.merge_values, message.token) for _ in range(2)]
    assert built[0] == built[1]
    mail = built[0]
    assert mail.subject == "Hello <b>Ana</b> Bcc: x@example.com"
    assert "Dear &lt;b&gt;Ana&lt;/b&gt; Bcc: x@example.com," in mail.html
    assert "<title>Hello &lt;b&gt;" in mail.html
    assert "script" not in mail.html and "alert" not in mail.html
    assert "Book (https://a.example/x)" in mail.text
    way_out = f"http://127.0.0.1:8000/u/{message.token}/"
    for part in (mail.html, mail.text):
        assert "1 Main Street, Boston, MA 02118" in part
        assert way_out in part
        assert "Northside Chiropractic" in part
    assert mail.headers == {
        "List-Unsubscribe": f"<{way_out}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert compose(content, patient, northside, None).subject == mail.subject


def test_plain_words_become_paragraphs_and_a_less_than_sign_stays_one():
    mail = email("", "Dear Ana,\nsee <you> & 1 < 2\n\nBye", {}, "t")
    assert "<p>Dear Ana,<br>see &lt;you&gt; &amp; 1 &lt; 2</p><p>Bye</p>" in mail.html
    assert mail.text.startswith("Dear Ana,\nsee <you> & 1 < 2\n\nBye")


def test_html_is_read_aloud_for_the_plain_part():
    read = as_text('<h1>News</h1><ul><li>One</li><li>Two</li></ul><p>Mail <a href="mailto:a@b.c">a@b.c</a><br>Bye</p>')
    assert read == "News\n\n- One\n- Two\n\nMail a@b.c\nBye"


def test_a_preview_says_what_is_missing_and_how_long_it_is(northside):
    patient = PatientFactory(first_name="", next_visit_at=None)
    content = ContentFactory(body="Hi {{PatientFirstName}}, see you {{NextVisitDate|soon}}")
    preview = compose(content, patient, northside, TextIdentityFactory())
    assert preview.missing_fields == ["PatientFirstName"]
    assert preview.body == f"Hi , see you soon\n{OPT_OUT_LINE}"
    assert (preview.segments, preview.has_opt_out_line) == (1, True)


def test_the_estimate_takes_the_longest_values_and_the_line():
    assert segment_range("Hi {{PatientFirstName}} " + "a" * 140) == (1, 2)


def test_problems_are_sentences_about_words_fields_and_the_postal_address(northside):
    assert problems("text", "", "Hi {{PatientFirstName}}") == []
    assert problems("text", "", " ") == ["The message has no words yet."]
    assert "no clinical" in problems("text", "", "{{Diagnosis}}")[0]
    assert "1,600" in problems("text", "", "a" * 1600)[0]
    assert problems("email", "News", "<p>Hi</p>") == []
    assert problems("email", "", "x") == ["The email has no subject yet."]
    assert "link" in problems("email", "x", "<a href='{{PatientFirstName}}'>x</a>")[0]
    northside.settings.address_line = ""
    northside.settings.save()
    assert "postal address" in problems("email", "News", "Hi")[0]
