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
    orders = re.findall(r"(\d+) races, arming first (\d+), the other first (\d+), 0 wrong", done.stdout)
    assert len(orders) == 4 and all(int(races) == 40 for races, _, _ in orders), said
    assert min(int(count) for _, *counts in orders for count in counts) >= 4, said
    assert re.search(r"^planted consent_without_lock: [1-9]\d* of 120 races wrong$", done.stdout, re.MULTILINE), said
