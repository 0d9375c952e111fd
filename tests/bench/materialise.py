"""Message rows from enrollments that are due, beside the same rows by `bulk_create`."""

from itertools import batched

from tests.bench.measure import Cost, Figure, interleaved, load
from tests.bench.rig import owner, servers

ROUNDS, NUMBER, BULK = 5, 5_000, 2_000
TARGET = 4


def main() -> list[Figure]:
    with servers():
        from tests.bench import data

        data.noon()
        made = data.practice(1, NUMBER)
        identity = data.text_line(made)
        ours = lambda: _ours(data, made, identity)  # noqa: E731
        bulk = lambda: _bulk(data, made, identity)  # noqa: E731
        ours(), bulk()
        found = interleaved(ROUNDS, ours=ours, bulk=bulk)
    note = f"{NUMBER:,} texts a round, median of {ROUNDS}, per CPU second of client and PostgreSQL; {load()}"
    return [
        Figure("materialise texts", found["ours"], found["bulk"], "rows/s", TARGET, note=f"limit = bulk_create; {note}")
    ]


def _ours(data, made, identity) -> float:
    from messaging.materialise import materialise
    from trackstat.tenancy.scope import practice_scope

    step, due = _due(data, made)
    with practice_scope(made), Cost() as cost:
        written = materialise(step.content, identity, "announcement", step.campaign_id, step.pk, due)
    assert written == NUMBER, written
    _forget()
    return NUMBER / cost.cpu


def _bulk(data, made, identity) -> float:
    """The same rows the way Django offers: read the patients, merge, make instances, insert them in batches."""
    from audience.models import ContactPoint, Patient
    from messaging.models import Message
    from messaging.segments import count
    from messaging.words import practice_values, text, values_of
    from trackstat.clock import now
    from trackstat.tenancy.scope import practice_scope

    step, due = _due(data, made)
    with practice_scope(made), Cost() as cost:
        shared, moment, zone = practice_values(made), now(), made.settings.tz
        for batch in batched(due, BULK, strict=False):
            patients = Patient.objects.in_bulk([each.patient_id for each in batch])
            cells = [patient.cell for patient in patients.values()]
            points = {p.address: p for p in ContactPoint.objects.filter(channel="text", address__in=cells)}
            rows = []
            for each in batch:
                p = patients[each.patient_id]
                point = points[p.cell]
                values = shared | values_of(
                    p.first_name, p.last_name, p.preferred_name, p.next_visit_at, p.last_visit_on, zone, moment
                )
                body = text(step.content.body, values, with_opt_out_line=point.introduced_at is None)
                rows.append(
                    Message(
                        channel="text", category="announcement", patient=p, contact_point=point, identity=identity,
                        content=step.content, campaign_id=step.campaign_id, step_id=step.pk,
                        enrollment_id=each.enrollment_id, to_address=p.cell, body=body,
                        merge_values={"PatientFirstName": values["PatientFirstName"]}, segments=count(body).segments,
                        has_opt_out_line=True, due_at=each.due_at, not_after=each.not_after, next_at=each.due_at,
                    )
                )  # fmt: skip
            Message.objects.bulk_create(rows, batch_size=BULK, ignore_conflicts=True)
    _forget()
    return NUMBER / cost.cpu


def _due(data, made) -> tuple:
    """A campaign of its own with everybody enrolled."""
    from campaigns.models import Enrollment
    from messaging.materialise import Due
    from tests.factories import CampaignFactory, ContentFactory, StepFactory
    from trackstat.tenancy.scope import practice_scope

    with practice_scope(made):
        step = StepFactory(content=ContentFactory(body=data.TEXT), campaign=CampaignFactory(state="sending"))
    values = {"practice": made.pk, "campaign": step.campaign_id, "number": NUMBER}
    with owner() as connection:
        connection.execute(data.ENROLLMENTS, values)
    with practice_scope(made):
        rows = Enrollment.objects.filter(campaign_id=step.campaign_id).order_by("pk")
        return step, [Due(*row) for row in rows.values_list("pk", "patient_id", "due_at", "not_after")]


def _forget() -> None:
    """Each round begins with a table as empty as the one before."""
    with owner() as connection:
        connection.execute("TRUNCATE messaging_message CASCADE")
