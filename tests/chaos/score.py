"""How often two things met, and how often that went wrong."""

from dataclasses import dataclass, field

SHOWN = 5


@dataclass
class Score:
    """`first`: how often the one side committed first; None where there are no two orders."""

    races: int = 0
    wrong: int = 0
    first: int | None = None
    details: list[str] = field(default_factory=list)

    @property
    def rarest(self) -> float:
        """Share of the order that came less often."""
        if self.first is None or not self.races:
            return 1
        return min(self.first, self.races - self.first) / self.races

    def mistake(self, what: str) -> None:
        self.wrong += 1
        if len(self.details) < SHOWN:
            self.details.append(what)

    def __str__(self) -> str:
        orders = "" if self.first is None else f"arming first {self.first}, the other first {self.races - self.first}, "
        return f"{self.races} races, {orders}{self.wrong} wrong"
