"""`bin/chaos races`, smaller: it passes on the product and fails on a bug that it is there to find."""

import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def test_nothing_is_armed_after_what_keeps_it_back_and_twenty_presses_are_one_launch_and_a_bug_is_found():
    command = [sys.executable, "-m", "tests.chaos.races", "--races", "40", "--launches", "3", "--prove"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300)
    said = done.stdout.splitlines()
    assert (done.returncode, said[-1:]) == (0, ["163 races 0 wrong"]), done.stdout + done.stderr
    orders = [
        [int(count) for count in re.findall(r"(\d+) races, arming first (\d+), the other first (\d+)", line)[0]]
        for line in said[:4]
    ]
    assert all(first + other == 40 and min(first, other) >= 4 for _, first, other in orders), said
    assert re.fullmatch(r"planted consent_without_lock: \d+ of 120 races wrong", said[5])
