from audience.models.appointment import Appointment
from audience.models.billing import Coverage, Payment, Service
from audience.models.case import Case, Diagnosis
from audience.models.choices import (
    AppointmentPurpose,
    Attorney,
    CarePackage,
    CaseType,
    DiagnosisCode,
    FeeSchedule,
    Insurer,
    Location,
    Provider,
    ReferralSource,
    ServiceCode,
)
from audience.models.connection import EhrConnection, EhrSync, EhrTest
from audience.models.consent import Category, Channel, ConsentEvent, ContactPoint
from audience.models.ehr import ImportRejection, ImportRun
from audience.models.opt_out_list import OptOutList
from audience.models.patient import Patient
from audience.models.saved_audience import SavedAudience
from audience.models.tag import PatientTag, Tag
from audience.models.tag_job import TagJob, TagJobPart

__all__ = [
    "Appointment",
    "AppointmentPurpose",
    "Attorney",
    "CarePackage",
    "Case",
    "CaseType",
    "Category",
    "Channel",
    "ConsentEvent",
    "ContactPoint",
    "Coverage",
    "Diagnosis",
    "DiagnosisCode",
    "EhrConnection",
    "EhrSync",
    "EhrTest",
    "FeeSchedule",
    "ImportRejection",
    "ImportRun",
    "Insurer",
    "Location",
    "OptOutList",
    "Patient",
    "PatientTag",
    "Payment",
    "Provider",
    "ReferralSource",
    "SavedAudience",
    "Service",
    "ServiceCode",
    "Tag",
    "TagJob",
    "TagJobPart",
]
