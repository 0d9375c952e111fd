from audience.models.appointment import Appointment, AppointmentPurpose, Case, Location, Provider
from audience.models.consent import Category, Channel, ConsentEvent, ContactPoint
from audience.models.ehr import ImportRejection, ImportRun
from audience.models.patient import Patient
from audience.models.tag import PatientTag, Tag

__all__ = [
    "Appointment",
    "AppointmentPurpose",
    "Case",
    "Category",
    "Channel",
    "ConsentEvent",
    "ContactPoint",
    "ImportRejection",
    "ImportRun",
    "Location",
    "Patient",
    "PatientTag",
    "Provider",
    "Tag",
]
