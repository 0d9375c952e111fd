"""Tags on the patient: any, all or none of some."""

from typing import Any, ClassVar

from django.db.models import Exists, OuterRef, Q

from audience.filters.choices import Rows
from audience.filters.fields import OneOf, ValuesForm
from audience.filters.registry import Filter, On, register
from audience.filters.there import HasOne
from audience.models import Patient, PatientTag, Tag


class TagsForm(ValuesForm):
    match = OneOf(
        label="Has",
        choices=[("any", "any of"), ("all", "all of"), ("none", "none of")],
        initial="any",
        error_messages={"required": "choose any, all or none."},
    )
    tags = Rows(Tag, "tag", label="Tags")


@register
class Tags(Filter):
    key = "tags"
    label = "Tags"
    group = "Tags"
    icon = "tag"
    form = TagsForm
    initial: ClassVar[dict[str, Any]] = {"match": "any"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        if value["match"] == "all":
            q = Q()
            for tag in value["tags"]:
                q &= Q(has_tag(tag=tag))
            return q
        carries = Q(has_tag(tag__in=value["tags"]))
        return carries if value["match"] == "any" else ~carries

    def describe(self, value: dict[str, Any]) -> str:
        names = ", ".join(f"“{tag}”" for tag in Tag.objects.filter(pk__in=value["tags"]))
        if len(value["tags"]) == 1:
            return f"{'none of the tags' if value['match'] == 'none' else 'tag'} {names}"
        return f"{value['match']} of the tags {names}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        carried = Tag.objects.filter(pk__in=value["tags"]).filter(
            Exists(PatientTag.objects.filter(patient=patient, tag=OuterRef("pk")))
        )
        names = ", ".join(f"“{tag}”" for tag in carried)
        return f"Has {names}" if names else "Has none of these tags"


def has_tag(**which: Any) -> HasOne:
    """The patient carries a tag: by the join table, never by a join that would double rows."""
    return HasOne(PatientTag, **which)
