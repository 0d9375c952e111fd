"""Renaming, merging and deleting tags, with everything that names them.

A merge waits for background tagging that is under way, and keeps out what would begin. It locks in the order of
audience.tagging: jobs, patients, tags.
"""

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models.functions import Lower

from audience import tag_uses
from audience.models import PatientTag, Tag, TagJob
from audience.tagging import open_jobs
from audience.tags import BadTag, clean_name
from trackstat.formats import number
from trackstat.tenancy import audit
from trackstat.tenancy.models import Practice, User
from trackstat.tenancy.scope import current_practice_id


class NameTaken(BadTag):
    """Another tag has this name already; merging the two is what may be meant."""

    def __init__(self, other: Tag) -> None:
        super().__init__(f"There is a tag “{other}” already.")
        self.other = other


@dataclass(frozen=True)
class Merge:
    """What merging would come to: patients who carry the old tag, of them those who carry both; uses rewritten."""

    patients: int
    both: int
    uses: list[tag_uses.Use]

    @property
    def gain(self) -> int:
        return self.patients - self.both


@transaction.atomic
def rename(tag: Tag, name: str, by: User | None) -> Tag:
    """Raises BadTag, or NameTaken where another tag is called like this, whatever its letters' case."""
    _refuse_reserved(tag, "renamed")
    name = clean_name(name)
    Tag.objects.select_for_update().filter(pk=tag.pk).first()
    if other := Tag.objects.annotate(lower=Lower("name")).filter(lower=name.lower()).exclude(pk=tag.pk).first():
        raise NameTaken(other)
    if name.lower() == "np start":
        raise BadTag("“np start” is TrackStat's own tag. Choose another name.")
    if Tag.objects.filter(pk=tag.pk).update(name=name):
        audit.record("tag.renamed", tag, user_id=_id(by))
    tag.name = name
    return tag


def look_at_merge(old: Tag, new: Tag, practice: Practice) -> Merge:
    """The numbers to show before. Raises BadTag where it cannot be."""
    _refuse_merge(old, new)
    carriers = PatientTag.objects.filter(tag=old)
    both = carriers.filter(patient__in=PatientTag.objects.filter(tag=new).values("patient"))
    return Merge(carriers.count(), both.count(), tag_uses.uses(practice).get(old.pk, []))


@transaction.atomic
def merge(old: Tag, new: Tag, by: User | None) -> int:
    """Everyone who carries `old` carries `new`, everything that names `old` names `new`, and `old` is gone; how many
    patients got `new` by it. Raises BadTag."""
    waited_for = _hold_jobs(old, new)
    if new.always_excluded:
        _lock_carriers(old)
    held = {tag.pk: tag for tag in Tag.objects.select_for_update().filter(pk__in=[old.pk, new.pk]).order_by("pk")}
    if len(held) < 2:
        raise BadTag("One of the two tags was deleted or merged meanwhile. Look at the list again.")
    old, new = held[old.pk], held[new.pk]
    _refuse_merge(old, new)
    if open_jobs().filter(tag__in=[old, new]).exclude(pk__in=waited_for).exists():
        raise BadTag(f"“{old}” or “{new}” is just being put on or taken off. Try again when that is done.")
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO audience_patienttag (practice_id, patient_id, tag_id, tagged_at, tagged_by_id)
               SELECT practice_id, patient_id, %s, tagged_at, tagged_by_id FROM audience_patienttag
               WHERE practice_id = %s AND tag_id = %s ORDER BY patient_id
               ON CONFLICT (practice_id, patient_id, tag_id) DO NOTHING""",
            [new.pk, current_practice_id(), old.pk],
        )
        gained = cursor.rowcount
    for each in tag_uses.PLACES:
        each.replace(old, new)
    TagJob.objects.filter(tag=old).update(tag=new)
    pk = old.pk
    _drop(old)
    audit.record("tag.merged", new, user_id=_id(by), patients=gained, merged=pk)
    return gained


@transaction.atomic
def delete(tag: Tag, practice: Practice, by: User | None) -> int:
    """Off everyone and gone; how many patients carried it. Raises BadTag while something uses it."""
    _refuse_reserved(tag, "deleted")
    _hold_jobs(tag)
    held = Tag.objects.select_for_update().filter(pk=tag.pk).first()
    if held is None:
        raise BadTag("This tag was deleted or merged meanwhile.")
    if held.always_excluded:
        raise BadTag(f"“{held}” keeps announcements away from whoever carries it, so it stays.")
    if holding := [use for use in tag_uses.uses(practice).get(held.pk, []) if use.holds]:
        n = len(holding)
        raise BadTag(f"“{held}” is used in {number(n)} place{'' if n == 1 else 's'}. Take it out there first.")
    if open_jobs().filter(tag=held).exists():
        raise BadTag(f"“{held}” is being put on or taken off at this moment. Wait until that is done.")
    TagJob.objects.filter(tag=held).update(tag=None)
    for each in tag_uses.PLACES:
        each.forget(held)
    pk, carried = held.pk, _drop(held)
    audit.record("tag.deleted", user_id=_id(by), tag=pk, patients=carried)
    return carried


def _drop(tag: Tag) -> int:
    carried = PatientTag.objects.filter(tag=tag)
    n = carried._raw_delete(carried.db)
    Tag.objects.filter(pk=tag.pk)._raw_delete(carried.db)
    return n


def _hold_jobs(*tags: Tag) -> list[int]:
    """Parts that are being worked on hold their job under a share lock: this waits for them. The jobs' ids."""
    jobs = open_jobs().filter(tag__in=tags).select_for_update(no_key=True).order_by("pk")
    return list(jobs.values_list("pk", flat=True))


def _lock_carriers(tag: Tag) -> None:
    """Those who will get no announcements any more: arming a message holds its patient under a share lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT FROM audience_patient p WHERE p.practice_id = %s AND p.id IN (
                   SELECT patient_id FROM audience_patienttag WHERE practice_id = %s AND tag_id = %s)
               ORDER BY p.id FOR UPDATE""",
            [current_practice_id(), current_practice_id(), tag.pk],
        )


def _refuse_merge(old: Tag, new: Tag) -> None:
    if old.pk == new.pk:
        raise BadTag("A tag cannot be merged into itself. Choose another one.")
    _refuse_reserved(old, "merged")
    _refuse_reserved(new, "merged")
    if old.always_excluded and not new.always_excluded:
        raise BadTag(
            f"“{old}” keeps announcements away and “{new}” does not: merged, its patients would get announcements"
            " again. Merge the other way round."
        )


def _refuse_reserved(tag: Tag, wish: str) -> None:
    if tag.reserved:
        raise BadTag(f"“{tag}” is TrackStat's own tag and cannot be {wish}.")


def _id(by: User | None) -> int | None:
    return by.pk if by is not None else None
