"""Putting tags on patients and taking them off, one or many, set-based."""

from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import QuerySet

from audience.models import Patient, PatientTag, Tag
from trackstat.tenancy import audit
from trackstat.tenancy.models import User
from trackstat.tenancy.scope import current_practice_id


class BadTag(ValueError):
    """A tag that cannot be made or used like this; the message is a sentence for staff."""


def create(name: str, by: User | None = None) -> Tag:
    """The tag of that name, made if it is new; letters' case makes no other tag. Raises BadTag."""
    name = clean_name(name)
    with transaction.atomic():
        if found := find(name):
            return found
        tag = Tag.objects.create(name=name)
        audit.record("tag.created", tag, user_id=_id(by))
    return tag


def find(name: str) -> Tag | None:
    """The tag of that name, whatever its letters' case."""
    return Tag.objects.filter(name__iexact=" ".join(name.split())).first()


def clean_name(name: str) -> str:
    """Raises BadTag."""
    name = " ".join(name.split())
    if not name:
        raise BadTag("Give the tag a name.")
    if len(name) > 60:
        raise BadTag("A tag's name has at most 60 letters.")
    return name


@transaction.atomic
def put_on(tag: Tag, patients: Patient | QuerySet[Patient], by: User | None = None) -> int:
    """Patients who carry the tag now and did not before.

    A tag that keeps announcements away locks its patients first, by id: arming a message holds them under a share
    lock while it decides, so once this is committed nothing more is armed. Raises BadTag for `np start` in bulk.
    """
    chosen = _chosen(tag, patients)
    if tag.always_excluded:
        # These and nobody else: asked again, the choice may be another by now, and who is new would be locked out of
        # turn.
        chosen = Patient.everyone.filter(pk__in=_lock(chosen))
    try:
        sql, values = chosen.order_by().values("pk").query.sql_with_params()
    except EmptyResultSet:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO audience_patienttag (practice_id, patient_id, tag_id, tagged_at, tagged_by_id)
                SELECT %s, chosen.id, %s, trackstat.now(), %s FROM ({sql}) AS chosen (id) ORDER BY chosen.id
                ON CONFLICT (practice_id, patient_id, tag_id) DO NOTHING""",
            [current_practice_id(), tag.pk, _id(by), *values],
        )
        put = cursor.rowcount
    _record("tag.put_on", tag, patients, put, by)
    return put


@transaction.atomic
def take_off(tag: Tag, patients: Patient | QuerySet[Patient], by: User | None = None) -> int:
    """Patients who carried the tag and do not any more. Locks as `put_on`. Raises BadTag for `np start` in bulk."""
    chosen = _chosen(tag, patients)
    if tag.always_excluded:
        carriers = chosen.filter(pk__in=PatientTag.objects.filter(tag=tag).values("patient"))
        chosen = Patient.everyone.filter(pk__in=_lock(carriers))
    taken = PatientTag.objects.filter(tag=tag, patient__in=chosen.order_by().values("pk")).delete()[0]
    _record("tag.taken_off", tag, patients, taken, by)
    return taken


def _chosen(tag: Tag, patients: Patient | QuerySet[Patient]) -> QuerySet[Patient]:
    if isinstance(patients, Patient):
        if tag.reserved:
            raise BadTag(f"“{tag}” is put on by TrackStat itself, after a new patient's first visit.")
        return Patient.objects.filter(pk=patients.pk)
    refuse_reserved(tag)
    return patients


def refuse_reserved(tag: Tag) -> None:
    """Raises BadTag for a tag that is never put on or taken off in bulk."""
    if tag.reserved:
        raise BadTag(f"“{tag}” is put on by TrackStat itself and never in bulk. Choose another tag.")


def lock_patients(ids: list[int]) -> None:
    """Before a tag that keeps announcements away goes on or off: arming a message holds its patient under a share
    lock, and the patients behind the tag are told."""
    _lock(Patient.everyone.filter(pk__in=ids))


def _lock(patients: QuerySet[Patient]) -> list[int]:
    """Their ids, in whose order they are locked."""
    return list(patients.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def _record(action: str, tag: Tag, patients: Patient | QuerySet[Patient], n: int, by: User | None) -> None:
    about: dict[str, Any] = {"patient": patients.pk} if isinstance(patients, Patient) else {}
    if n:
        audit.record(action, tag, user_id=_id(by), patients=n, **about)


def _id(by: User | None) -> int | None:
    return by.pk if by is not None else None
