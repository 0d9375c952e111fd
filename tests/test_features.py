"""docs/features.md tells of every id once and names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
IDS = re.findall(
    r"\w+",
    """
    T1 T2 T3 T4 T5 T6 T7
    P1 P2 P3 P4 P5 P6 P7 P8
    A1 A2 A3 A4 A5 A14 A6 A7 A8 A9 A10 A11 A12 A13
    B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B13 B12
    X1 X2 X3 X4 X5
    D1 D14 D15 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12 D13
    M1 M2 M3 M4 M5 M6 M7 M8 M9 M10 M11 M12 M16 M13 M14 M15
    I1 I2 I3 I4 I5
    C1 C2 C3
    R1 R2 R3 R4 R5 R6
    S1 S2 S3 S4 S5 S6
    """,
)
_ROW = re.compile(r"^\| ([A-Z]\d+) \|([^|\n]*)\|([^|\n]*)\|([^|\n]*)\|$", re.MULTILINE)
_TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")

ROWS = [tuple(cell.strip() for cell in row) for row in _ROW.findall((ROOT / "docs" / "features.md").read_text())]


def test_every_id_has_its_row_in_order():
    assert [row[0] for row in ROWS] == IDS


@pytest.mark.parametrize(("id", "status", "words", "proof"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_says_how_far_it_is_and_names_tests_that_exist(id, status, words, proof):
    assert status in {"works", "partly", "not yet"}
    assert words.endswith("."), "whole sentences"
    named = _TEST.findall(proof)
    assert len(named) == proof.count("::") <= 3
    assert named or proof == "no test"
    assert named or status != "works", "what works is proved"
    assert ("Missing:" in words) == (status == "partly")
    for file, name in named:
        source = ROOT / file
        assert source.is_file(), file
        assert re.search(rf"^\s*def {name}\(", source.read_text(), re.MULTILINE), f"{file}::{name}"
