"""Beside why a patient is not in an audience: where that is mended."""

from typing import NamedTuple

from audience.filters import Explanation, Line
from audience.models import Patient
from trackstat.tenancy.models import Practice

IN_EHR = "Change it in your EHR; it is right here after the next reading."
# By the filter's or requirement's key: words for the link to the patient's page, or what to do elsewhere.
_PATIENT_PAGE = {
    "tags": "Tags on the patient's page",
    "excluded_tag": "Tags on the patient's page",
    "can_text": "Phones and opt-outs on the patient's page",
    "can_email": "Email and opt-outs on the patient's page",
    "reachable": "Phone, email and opt-outs on the patient's page",
    "household": "Household on the patient's page",
}
_ELSEWHERE = {"cell": IN_EHR, "email": IN_EHR, "address": IN_EHR}


class Mended(NamedTuple):
    """An explanation's line, and for one that fails what to do: words, and where if that is a page of ours."""

    line: Line
    fix: str = ""
    url: str = ""
    # Put back by the builder's own button.
    is_removal: bool = False


class Told(NamedTuple):
    """`is_loaded`: whether the frozen list holds the patient; None while there is none to go by."""

    filters: list[Mended]
    requirements: list[Mended]
    is_loaded: bool | None

    @property
    def matches(self) -> bool:
        return all(each.line.passed for each in self.filters + self.requirements)

    @property
    def is_in(self) -> bool:
        return self.matches if self.is_loaded is None else self.is_loaded


def told(explanation: Explanation, patient: Patient, practice: Practice, is_loaded: bool | None = None) -> Told:
    return Told(
        [_mended(line, patient, practice) for line in explanation.filters],
        [_mended(line, patient, practice) for line in explanation.requirements],
        is_loaded,
    )


def _mended(line: Line, patient: Patient, practice: Practice) -> Mended:
    if line.passed:
        return Mended(line)
    if line.key in _PATIENT_PAGE:
        return Mended(line, _PATIENT_PAGE[line.key], practice.url("audience:patient", patient.pk))
    return Mended(line, _ELSEWHERE.get(line.key, ""), is_removal=line.key == "removed")
