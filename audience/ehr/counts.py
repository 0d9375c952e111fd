"""What became of an export's records, by resource type."""

from collections import Counter


class Counts:
    """By resource type: read, new, changed, unchanged, joined, left out (and why), repeated, rejected, missing."""

    def __init__(self) -> None:
        self.by_type: dict[str, Counter[str]] = {}
        self.why: dict[str, Counter[str]] = {}

    def add(self, resource_type: str, what: str, number: int = 1) -> None:
        self.by_type.setdefault(resource_type or "Unreadable", Counter())[what] += number

    def add_each(self, resource_type: str, numbers: dict[str, int]) -> None:
        for what, number in numbers.items():
            self.add(resource_type, what, number)

    def leave_out(self, resource_type: str, why: str, number: int = 1) -> None:
        self.add(resource_type, "left_out", number)
        self.why.setdefault(resource_type, Counter())[why] += number

    def as_json(self) -> dict[str, dict[str, int]]:
        return _without_zeros(self.by_type)

    def why_as_json(self) -> dict[str, dict[str, int]]:
        return _without_zeros(self.why)


def _without_zeros(found: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    kept = {kind: {what: n for what, n in counts.items() if n} for kind, counts in sorted(found.items())}
    return {kind: counts for kind, counts in kept.items() if counts}
