"""``bin/chaos faults``: messages go out while everything around them breaks, and the providers' ledger judges.

First the aimed cases, each of which arranges one thing that may never happen; then the general run. With a planted bug
the run has to fail. docs/chaos.md says what each fault and each bug is.
"""

import argparse
import time

from tests.chaos import plants, points
from tests.chaos.rig import NotReached, Rig, until

# How long after the end of a run something may still be on its way to being mended.
GRACE_SECONDS = 5


def main(arguments: list[str]) -> int:
    given = _arguments(arguments)
    if given.list_bugs:
        for name, bug in plants.BUGS.items():
            print(f"{name:22}{bug.what}; caught by {' and '.join(bug.caught_by)}")
        return 0
    began = time.monotonic()
    try:
        with Rig(plant="" if given.plant == "all" else given.plant) as rig:
            print(f"The rig stands in {rig.folder} ({time.monotonic() - began:.0f} s).", flush=True)
            verdict, fine = prove(rig) if given.plant == "all" else run(rig, given)
            rig.kept = not fine and not given.plant
    except NotReached as problem:
        print(f"Nothing is proved: {problem}", flush=True)
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"{time.monotonic() - began:.0f} s\n{verdict}", flush=True)
    return 0 if fine else 1


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/chaos faults", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--long", action="store_true", help="50,000 messages, 200 kills, 20 of each other blow")
    parser.add_argument("--seed", type=int, default=1, help="draws what happens when (default 1)")
    parser.add_argument("--messages", type=int, help="as many, and blows in proportion")
    parser.add_argument(
        "--plant", default="", choices=[*plants.BUGS, "all"], help="a bug, to see it caught; all: each in turn"
    )
    parser.add_argument("--list-bugs", action="store_true")
    given = parser.parse_args(arguments)
    if given.messages is not None and given.messages < 300:
        parser.error("with fewer than 300 messages there is no time for everything to happen")
    return given


def run(rig: Rig, given: argparse.Namespace) -> tuple[str, bool]:
    """The aimed cases, then the general run; with a planted bug only what it takes to catch it."""
    found = aimed(rig, given.plant)
    if found.fine or not given.plant:
        found.add(general(rig, given))
        if not given.plant and not _check_invariants(rig):
            found.differences.append("an invariant is violated, see above")
    return f"lost {len(found.lost)} doubled {len(found.doubled)} unknown {len(found.unknown)}", found.fine


def aimed(rig: Rig, plant: str = ""):
    from tests.chaos.aimed import CASES, play
    from tests.chaos.judge import Findings

    found = Findings()
    for name in plants.BUGS[plant].caught_by if plant else CASES:
        played = play(rig, name, plant)
        print(f"{name.replace('_', ' '):46}{_word(played.found.fine)} ({played.seconds:.0f} s)", flush=True)
        played.found.show()
        found.add(played.found)
    return found


def prove(rig: Rig) -> tuple[str, bool]:
    """Plant each bug in turn, and let its cases catch it."""
    from tests.chaos.aimed import play

    caught = 0
    for name, bug in plants.BUGS.items():
        missed = [case for case in bug.caught_by if play(rig, case, name).found.fine]
        caught += not missed
        print(f"{name:22}{'NOT caught by ' + ', '.join(missed) if missed else 'caught'}", flush=True)
    return f"{caught} of {len(plants.BUGS)} planted bugs caught", caught == len(plants.BUGS)


def general(rig: Rig, given: argparse.Namespace):
    from tests.chaos import judge, people
    from tests.chaos.storm import LONG, SHORT, Storm

    size = LONG if given.long else SHORT
    if given.messages:
        size = size.scaled(given.messages)
    storm = Storm(rig, size, given.seed)
    storm.set_up()
    rates = {"rate": size.rate, "mail_rate": size.rate / 4}
    north = people.open_office(rig.sandbox, "North", mail="mailgun", **rates)
    south = people.open_office(rig.sandbox, "South", service=True, mail="mailgun", **rates)
    west = people.open_office(rig.sandbox, "West", mail="smtp")
    each = (size.messages - size.by_smtp) // 2
    for office in (north, south):
        people.fill(office, each - each // 5, each // 5)
    people.fill(west, 0, size.messages - 2 * each, odd=False)
    rig.start_web()
    rig.start_beat()
    for _ in range(size.workers):
        rig.start_worker()
    strike = points.Strike(rig.points, "in_materialise", points.KILL)
    for office, channel in ((west, "email"), (north, "text"), (north, "email"), (south, "text"), (south, "email")):
        people.switch_on(office, people.draft_campaign(office, channel))
    until(lambda: strike.pid, 60, "somebody at in_materialise", rig.look_after_workers)
    storm.say("kill at in_materialise")
    try:
        storm.blow()
    finally:
        storm.show()
    found = judge.judge(rig.ledger, (north, south, west))
    print(f"Faults of providers: {_counted(judge.Ledger(rig.ledger).faults)}")
    print(f"Ends: {_counted(found.states)}", flush=True)
    found.show()
    return found


def _check_invariants(rig: Rig) -> bool:
    from django.core.management import get_commands

    if "check_invariants" not in get_commands():
        print("There is no manage.py check_invariants: the invariants were not checked.", flush=True)
        return True
    return rig.manage("check_invariants", "--grace", str(GRACE_SECONDS)) == 0


def _word(fine: bool) -> str:
    return "fine" if fine else "WRONG"


def _counted(many: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(many.items()))
