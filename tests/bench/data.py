"""Made-up practices with many patients, made by the database itself."""

import datetime as dt
from zoneinfo import ZoneInfo

from messaging.models import Content, SendingIdentity
from tests import cast
from tests.bench.rig import owner
from tests.factories import CampaignFactory, ContentFactory, StepFactory, TextIdentityFactory
from trackstat.tenancy.models import Practice
from trackstat.tenancy.scope import practice_scope

NOON = dt.datetime(2026, 11, 24, 12, tzinfo=ZoneInfo("America/New_York"))
TEXT = (
    "Hi {{PatientFirstName|there}}, it has been a while since we saw you at {{PracticeName}}. "
    "Call {{PracticePhone}} or reply here to find a time that suits you. See you soon!"
)


def noon() -> None:
    """The product's clock goes to a Tuesday's noon: no text is held for the night."""
    with owner() as connection:
        connection.execute("UPDATE trackstat.clock SET shift = %s - now()", [NOON])


def practice(number: int, patients: int) -> Practice:
    """A practice in New York with that many patients, each with a cell phone and an email of their own."""
    made = cast._practice(
        f"Practice {number}", f"practice-{number}", "America/New_York", "Boston", "MA", "02118", "+16175550100"
    )
    with owner() as connection:
        connection.execute(_PATIENTS, {"practice": made.pk, "patients": patients, "number": number})
        connection.execute(_POINTS, {"practice": made.pk, "channel": "text", "column": "cell"})
        connection.execute(_POINTS.replace("cell", "email"), {"practice": made.pk, "channel": "email"})
        connection.execute("VACUUM ANALYZE audience_patient, audience_contactpoint")
    return made


def text_line(made: Practice, **fields) -> SendingIdentity:
    with practice_scope(made):
        return TextIdentityFactory(rate_per_second=1_000_000, **fields)


def launched(made: Practice, identity: SendingIdentity, number: int) -> None:
    """A blast that was switched on this moment: everybody is enrolled, no text is written yet."""
    with practice_scope(made):
        step = StepFactory(content=ContentFactory(body=TEXT), campaign=CampaignFactory(state="enabled"))
    values = {"practice": made.pk, "campaign": step.campaign_id, "number": number}
    with owner() as connection:
        connection.execute(ENROLLMENTS.replace("'done'", "'active'"), values)
        connection.execute(
            "UPDATE campaigns_campaign SET enabled_at = trackstat.now() WHERE id = %s", [step.campaign_id]
        )
        connection.execute("VACUUM ANALYZE campaigns_enrollment")


def due_texts(made: Practice, identity: SendingIdentity, number: int, *, tidy: bool = True) -> None:
    """That many enrollments of a blast under way, each with its text waiting; `tidy`: VACUUM ANALYZE afterwards."""
    with practice_scope(made):
        content = ContentFactory(body=TEXT)
        step = StepFactory(content=content, campaign=CampaignFactory(state="sending"))
    values = {
        "practice": made.pk,
        "campaign": step.campaign_id,
        "step": step.pk,
        "identity": identity.pk,
        "content": content.pk,
        "number": number,
    }
    with owner() as connection:
        connection.execute(ENROLLMENTS, values)
        connection.execute(TEXTS, values)
        if tidy:
            connection.execute("VACUUM ANALYZE campaigns_enrollment, messaging_message")


def content(made: Practice) -> Content:
    with practice_scope(made):
        return ContentFactory(body=TEXT)


_PATIENTS = """
INSERT INTO audience_patient (practice_id, source, external_id, first_name, last_name, preferred_name, birth_date, sex,
       status, inactive_reason, cell, home_phone, work_phone, email, address_line, city, state, postal_code, time_zone,
       visit_count, total_paid_cents, can_text, can_email, last_visit_on)
SELECT %(practice)s, 'bench', 'Patient/' || n, (ARRAY['Ana', 'Ben', 'Cleo', 'Dmitri', 'Eve'])[1 + n %% 5],
       'Number ' || n, '', DATE '1950-01-01' + n %% 20000, 'female', 'active', '',
       '+1' || 212 + %(number)s || 2000000 + n, '', '', 'patient' || n || '@mail.example',
       n || ' Elm Street', 'Boston', 'MA', '02118', 'America/New_York', n %% 20, 0, true, true,
       DATE '2026-01-01' - n %% 1000
  FROM generate_series(1, %(patients)s) n
"""
_POINTS = """
INSERT INTO audience_contactpoint (practice_id, channel, address, validity, validity_reason, opted_out_by_patient)
SELECT practice_id, %(channel)s, cell, 'ok', '', false FROM audience_patient WHERE practice_id = %(practice)s
"""
ENROLLMENTS = """
INSERT INTO campaigns_enrollment (practice_id, campaign_id, patient_id, occurrence, state, reason, next_position,
       due_at, not_after)
SELECT practice_id, %(campaign)s, id, 'launch', 'done', '', 1, trackstat.now(), trackstat.now() + interval '8 hours'
  FROM audience_patient WHERE practice_id = %(practice)s ORDER BY id LIMIT %(number)s
"""
TEXTS = """
INSERT INTO messaging_message (practice_id, channel, category, patient_id, contact_point_id, identity_id, content_id,
       campaign_id, step_id, enrollment_id, repeat, to_address, body, merge_values, token, segments, has_opt_out_line,
       state, reason, error_code, due_at, not_after, next_at, tries)
SELECT e.practice_id, 'text', 'announcement', e.patient_id, c.id, %(identity)s, %(content)s, e.campaign_id, %(step)s,
       e.id, 1, p.cell, 'Hi ' || p.first_name || ', it has been a while since we saw you at Practice. Call'
       || ' (617) 555-0100 or reply here to find a time that suits you. See you soon! Reply STOP to opt out',
       jsonb_build_object('PatientFirstName', p.first_name), 'bench' || e.practice_id || '-' || e.id, 1, true,
       'pending', '', '', e.due_at, e.not_after, e.due_at, 0
  FROM campaigns_enrollment e
  JOIN audience_patient p ON p.practice_id = e.practice_id AND p.id = e.patient_id
  JOIN audience_contactpoint c ON c.practice_id = e.practice_id AND c.channel = 'text' AND c.address = p.cell
 WHERE e.practice_id = %(practice)s AND e.campaign_id = %(campaign)s
 ORDER BY e.id
"""
