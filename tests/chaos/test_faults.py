"""`bin/chaos faults` in its short form, and the proof that it would see a bug."""

import re
import subprocess
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.chaos import aimed
from tests.chaos import faults as faults_command
from tests.chaos.judge import Findings

CHECKOUT = Path(__file__).resolve().parents[2]

# Not beside the other tests that start a whole product.
pytestmark = pytest.mark.xdist_group("demo")


def faults(*arguments: str) -> tuple[int, list[str], str]:
    """Exit code, lines, and all it said."""
    done = subprocess.run(
        [CHECKOUT / "bin" / "chaos", "faults", *arguments],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    return done.returncode, done.stdout.splitlines(), done.stdout


def test_every_fault_once_in_1500_messages_loses_none_and_doubles_none():
    code, said, everything = faults()
    assert code == 0, everything
    # One email by SMTP was cut off after its content: nobody can look that up.
    assert re.fullmatch(r"lost 0 doubled 0 unknown [01]", said[-1]), everything


def test_each_planted_bug_is_caught_by_its_aimed_case():
    code, said, everything = faults("--plant", "all")
    assert (code, said[-1]) == (0, "8 of 8 planted bugs caught"), everything


def test_whatever_a_case_finds_makes_the_run_fail(monkeypatch, capsys):
    """With a rig that stands already: what the cases find on a real one is proven above."""
    found = Findings(doubled=["text a: accepted 2 times", "text b: accepted 2 times"])
    monkeypatch.setattr(faults_command, "Rig", lambda plant: nullcontext(SimpleNamespace(folder="nowhere")))
    monkeypatch.setattr(aimed, "play", lambda rig, case, plant: SimpleNamespace(found=found, seconds=0))
    assert faults_command.main(["--plant", "arm_unguarded"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "lost 0 doubled 2 unknown 0"


def test_the_bugs_are_listed_with_what_catches_them():
    code, said, everything = faults("--list-bugs")
    assert (code, len(said)) == (0, 8), everything
    assert all("; caught by " in line for line in said)
