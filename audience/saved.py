"""Saved audiences: filters under a name. Whoever uses one works with a copy of its filters and is told of changes."""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import F

from audience.filters import Audience, BadDefinition, validate
from audience.filters.requirements import requirements
from audience.models import Category, SavedAudience
from trackstat.clock import Now, now, today
from trackstat.tenancy import audit
from trackstat.tenancy.models import Practice, User


class BadName(ValueError):
    """A name that cannot be given; the message is a sentence for staff."""


class Changed(Exception):
    """Somebody else has saved other filters meanwhile; nothing was overwritten."""


class Use(NamedTuple):
    """Something that began with a saved audience: its words and where it is."""

    words: str
    url: str


Uses = Callable[[Practice, Collection[int]], dict[int, list[Use]]]
USES: list[Uses] = []


def uses(find: Uses) -> Uses:
    """Decorator for later apps: by id of the saved audience, what began with it. One statement for all ids."""
    USES.append(find)
    return find


def used_by(practice: Practice, saved: Collection[SavedAudience]) -> dict[int, list[Use]]:
    found: dict[int, list[Use]] = defaultdict(list)
    for find in USES:
        for pk, of_one in find(practice, [each.pk for each in saved]).items():
            found[pk] += of_one
    return found


def create(
    name: str, description: str, definition: dict[str, Any], require: Collection[str] | None, by: User | None
) -> SavedAudience:
    """Raises BadName, and BadDefinition for filters that cannot be meant: at least one is needed."""
    saved = SavedAudience(description=_description(description), created_by=by, updated_by=by)
    saved.definition, saved.require = _filters(definition, require)
    with transaction.atomic():
        _name(saved, name)
        audit.record("saved_audience.created", saved, user_id=_id(by))
    return saved


def save_filters(
    saved: SavedAudience, definition: dict[str, Any], require: Collection[str] | None, version: int, by: User | None
) -> None:
    """Raises BadDefinition, or Changed when it is not at `version` any more."""
    definition, require = _filters(definition, require)
    if (saved.definition, saved.require) == (definition, require):
        return
    with transaction.atomic():
        fits = SavedAudience.objects.filter(pk=saved.pk, version=version)
        if not fits.update(
            definition=definition,
            require=require,
            version=F("version") + 1,
            updated_at=Now(),
            updated_by=by,
            said="",
            counted=None,
            counted_at=None,
        ):
            raise Changed
        saved.refresh_from_db()
        audit.record("saved_audience.changed", saved, user_id=_id(by), version=saved.version)


def rename(saved: SavedAudience, name: str, description: str, by: User | None) -> None:
    """Raises BadName."""
    saved.description, saved.updated_by, saved.updated_at = _description(description), by, now()
    with transaction.atomic():
        _name(saved, name, ["name", "description", "updated_by", "updated_at"])
        audit.record("saved_audience.renamed", saved, user_id=_id(by))


def copy(saved: SavedAudience, by: User | None) -> SavedAudience:
    """Under the next free name: "Lapsed (copy)", "Lapsed (copy 2)"."""
    taken = {name.lower() for name in SavedAudience.objects.values_list("name", flat=True)}
    tries = (f"{saved.name[:68]} (copy{f' {n}' if n > 1 else ''})" for n in range(1, len(taken) + 2))
    name = next(name for name in tries if name.lower() not in taken)
    return create(name, saved.description, saved.definition, saved.require, by)


def delete(saved: SavedAudience, by: User | None) -> None:
    """What began with it keeps its own copy of the filters."""
    with transaction.atomic():
        audit.record("saved_audience.deleted", saved, user_id=_id(by))
        saved.delete()


def look(saved: SavedAudience, practice: Practice) -> None:
    """Says and counts it as of now, and keeps that for the list. No number: `said` is what has to be mended."""
    try:
        validate(saved.definition)
        audience = Audience(practice, saved.definition, today(practice), saved.require or (), category=CATEGORY)
        said, counted = audience.sentence(), audience.count()
    except BadDefinition as bad:
        said, counted = str(bad), None
    saved.said, saved.counted, saved.counted_at = said, counted, now()
    SavedAudience.objects.filter(pk=saved.pk, version=saved.version).update(
        said=said, counted=counted, counted_at=saved.counted_at
    )


# Whom announcements may go to: the stricter of the two.
CATEGORY = Category.ANNOUNCEMENT


def _filters(definition: dict[str, Any], require: Collection[str] | None) -> tuple[dict[str, Any], list[str] | None]:
    validate(definition)
    if require is not None:
        requirements(require, CATEGORY)
        require = sorted(set(require))
    return definition, require


def _name(saved: SavedAudience, name: str, fields: list[str] | None = None) -> None:
    name = " ".join(name.split())
    if not name:
        raise BadName("Give the audience a name.")
    if len(name) > 80:
        raise BadName("An audience's name has at most 80 letters.")
    saved.name = name
    try:
        with transaction.atomic():
            saved.save(update_fields=fields)
    except IntegrityError:
        raise BadName(f"There is an audience “{name}” already. Choose another name.") from None


def _description(words: str) -> str:
    return " ".join(words.split())[:200]


def _id(by: User | None) -> int | None:
    return by.pk if by is not None else None
