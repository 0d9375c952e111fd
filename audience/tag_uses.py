"""Where tags are used: whoever keeps definitions of audiences, or tags of its own, registers a place here."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from audience.models import SavedAudience, Tag
from trackstat.tenancy.models import Practice


class Use(NamedTuple):
    """One thing that uses a tag: what it is, its name, its page; `holds`: the tag cannot be deleted under it."""

    what: str
    name: str
    url: str
    holds: bool = True


class Place(NamedTuple):
    """`find`: tag id → uses, in few statements. `replace` lets everything that names `old` name `new`; `forget` lets
    what does not hold a tag that is deleted go of it. Both run in the transaction of the change."""

    find: Callable[[Practice], dict[int, list[Use]]]
    replace: Callable[[Tag, Tag], None]
    forget: Callable[[Tag], None] = lambda tag: None


# Later apps append theirs when they are ready.
PLACES: list[Place] = []


def uses(practice: Practice) -> dict[int, list[Use]]:
    """Tag id → where it is used, in the practice's scope."""
    found: dict[int, list[Use]] = {}
    for each in PLACES:
        for tag_id, these in each.find(practice).items():
            found.setdefault(tag_id, []).extend(these)
    return found


def tags_in(definition: Any) -> set[int]:
    """Ids of the tags that a stored definition names."""
    named: set[int] = set()
    for each in _filters(definition):
        if each.get("key") == "tags":
            chosen = each.get("value", {}).get("tags", [])
            named |= {pk for pk in chosen if isinstance(pk, int)} if isinstance(chosen, list) else set()
    return named


def with_tag_replaced(definition: dict[str, Any], old: int, new: int) -> dict[str, Any]:
    """The definition with `new` wherever it names `old`, once."""

    def replaced(each: dict[str, Any]) -> dict[str, Any]:
        if each.get("key") != "tags" or old not in each.get("value", {}).get("tags", []):
            return each
        chosen = dict.fromkeys(new if pk == old else pk for pk in each["value"]["tags"])
        return each | {"value": each["value"] | {"tags": list(chosen)}}

    return definition | {"filters": [replaced(each) for each in definition.get("filters", [])]}


def _filters(definition: Any) -> Iterable[dict[str, Any]]:
    filters = definition.get("filters", []) if isinstance(definition, dict) else []
    return [each for each in filters if isinstance(each, dict)] if isinstance(filters, list) else []


def _of_saved_audiences(practice: Practice) -> dict[int, list[Use]]:
    found: dict[int, list[Use]] = {}
    for pk, name, definition in SavedAudience.objects.order_by("name").values_list("pk", "name", "definition"):
        for tag_id in tags_in(definition):
            found.setdefault(tag_id, []).append(Use("Audience", name, practice.url("audience:audience", pk)))
    return found


def _in_saved_audiences(old: Tag, new: Tag) -> None:
    for audience in SavedAudience.objects.select_for_update().order_by("pk"):
        if old.pk in tags_in(audience.definition):
            changed = with_tag_replaced(audience.definition, old.pk, new.pk)
            SavedAudience.objects.filter(pk=audience.pk).update(definition=changed)


PLACES.append(Place(_of_saved_audiences, _in_saved_audiences))
