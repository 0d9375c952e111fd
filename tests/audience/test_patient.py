import random

from audience.models import Patient
from tests.factories import PatientFactory


def test_the_longest_patient_an_ehr_can_send_fits_into_every_index(in_northside):
    """A row of an index takes 2,704 bytes at most: what PostgreSQL cannot shorten, four bytes a character."""
    letters = random.Random(7)

    def longest(column: str) -> str:
        most = Patient._meta.get_field(column).max_length
        return "".join(chr(letters.randrange(0x20000, 0x2A6D0)) for _ in range(most))

    names = {column: longest(column) for column in ("first_name", "last_name", "city", "state", "postal_code")}
    email = f"a@{''.join(chr(letters.randrange(0x4E00, 0x9FFF)) for _ in range(240))}.example"
    patient = PatientFactory(**names, email=email)
    assert list(Patient.objects.order_by("last_name", "first_name", "pk")) == [patient]
