from django.db import models
from django.db.models.functions import Cast, ExtractDay, ExtractMonth, Upper

from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeManager, PracticeModel

# What filters and requirements ask of the patient's own row.
_ASKED = (
    "kept_away",
    "first_visit_on",
    "next_visit_at",
    "visit_count",
    "total_paid_cents",
    "birth_date",
    "birth_md",
    "sex",
    "status",
    "inactive_reason",
    "can_text",
    "can_email",
    "cell",
    "email",
    "has_address",
    "city_key",
    "state",
    "postal_code",
    "primary_provider",
    "attorney",
    "care_package",
    "fee_schedule",
    "referral_source",
)


class NotMerged(PracticeManager):
    """Without records that the EHR replaced by another one: nobody is listed, counted or written to twice."""

    def _narrowed(self, rows):
        return rows.filter(merged_into=None)


class Patient(PracticeModel):
    """A patient as the practice's EHR knows them. Only the EHR apply step creates and changes these rows.

    Rollups (first_visit_on … can_email) are kept set-based by `audience.rollups` and can be rebuilt.
    """

    class Sex(models.TextChoices):
        FEMALE = "female", "Female"
        MALE = "male", "Male"
        OTHER = "other", "Other"
        UNKNOWN = "unknown", "Unknown"

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        INACTIVE = "inactive", "Inactive"

    class InactiveReason(models.TextChoices):
        NONE = "", "–"
        INACTIVE = "inactive", "Inactive"
        DISCHARGED = "discharged", "Discharged"
        ARCHIVED = "archived", "Archived"
        DECEASED = "deceased", "Deceased"

    source = models.CharField(max_length=40, help_text="Which EHR connection the patient came from.")
    external_id = models.CharField(max_length=200, help_text="The patient's id in that EHR.")
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    preferred_name = models.CharField(max_length=100, blank=True)
    birth_date = models.DateField(null=True, blank=True)
    # Month * 100 + day, 0 when unknown: birthdays are looked up by it.
    birth_md = models.GeneratedField(
        expression=Cast(ExtractMonth("birth_date") * 100 + ExtractDay("birth_date"), models.SmallIntegerField()),
        output_field=models.SmallIntegerField(null=True),
        db_persist=True,
    )
    sex = models.CharField(max_length=10, choices=Sex, default=Sex.UNKNOWN)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    inactive_reason = models.CharField(max_length=12, choices=InactiveReason, blank=True, default="")
    # E.164, '' when there is none. Only a number the EHR marks as mobile is a cell.
    cell = models.CharField(max_length=20, blank=True)
    home_phone = models.CharField(max_length=20, blank=True)
    work_phone = models.CharField(max_length=20, blank=True)
    email = models.CharField(max_length=254, blank=True, help_text="Lower case.")
    address_line = models.CharField(max_length=200, blank=True)
    city = models.CharField(max_length=80, blank=True)
    # In capitals: cities are looked up by it, however they are written.
    city_key = models.GeneratedField(
        expression=Upper("city"), output_field=models.CharField(max_length=160), db_persist=True
    )
    # A Q is an expression of PostgreSQL's boolean type, whatever the stubs say.
    has_address = models.GeneratedField(
        expression=~models.Q(address_line="") & ~models.Q(city=""),  # type: ignore[arg-type]
        output_field=models.BooleanField(),
        db_persist=True,
    )
    state = models.CharField(max_length=30, blank=True)
    # In byte order, so that codes are found by how they begin.
    postal_code = models.CharField(max_length=12, blank=True, db_collation="C")
    time_zone = models.CharField(max_length=60, blank=True, help_text="From the postal code; '' when unknown.")
    primary_provider = PracticeForeignKey("audience.Provider", models.SET_NULL, null=True, blank=True, related_name="+")
    # What the EHR keeps by patient; a case may have its own.
    attorney = PracticeForeignKey("audience.Attorney", models.SET_NULL, null=True, blank=True, related_name="+")
    care_package = PracticeForeignKey("audience.CarePackage", models.SET_NULL, null=True, blank=True, related_name="+")
    fee_schedule = PracticeForeignKey("audience.FeeSchedule", models.SET_NULL, null=True, blank=True, related_name="+")
    referral_source = PracticeForeignKey(
        "audience.ReferralSource", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # The record that replaced this one. What was sent stays with the record it was sent for; all else has moved.
    merged_into = PracticeForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+")
    marketing_ok = models.BooleanField(null=True, help_text="The EHR's marketing flag; null when it has none.")

    first_visit_on = models.DateField(null=True)
    last_visit_on = models.DateField(null=True)
    next_visit_at = models.DateTimeField(null=True, help_text="Stale once past: always compare with the clock.")
    visit_count = models.PositiveIntegerField(default=0)
    total_paid_cents = models.BigIntegerField(default=0)
    # The address exists, is usable and has not opted out of everything.
    can_text = models.BooleanField(default=False)
    can_email = models.BooleanField(default=False)
    # Carries a tag that keeps announcements away: the database tells, whoever changes tags.
    kept_away = models.BooleanField(db_default=False)

    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    objects = NotMerged()
    # Merged records, too: for what was sent to them.
    everyone = PracticeManager()

    class Meta:
        permissions = [
            ("view_audience", "Can build and see audiences"),
            ("manage_ehr", "Can manage EHR connections"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["practice", "source", "external_id"], name="patient_external_once"),
        ]
        indexes = [
            # Pages are filtered by what stands in the index, and never read the rows of those who do not match.
            models.Index(
                fields=["practice", "last_name", "first_name", "id"],
                include=["last_visit_on", *_ASKED],
                condition=models.Q(merged_into=None),
                name="patient_name",
            ),
            models.Index(
                fields=["practice", "last_visit_on"],
                include=["id", *_ASKED],
                condition=models.Q(merged_into=None),
                name="patient_last_visit",
            ),
            models.Index(
                fields=["practice", "first_visit_on"],
                include=["id", "kept_away"],
                condition=models.Q(merged_into=None),
                name="patient_first_visit",
            ),
            models.Index(
                fields=["practice", "next_visit_at"],
                include=["id", "kept_away"],
                name="patient_next_visit",
                condition=models.Q(next_visit_at__isnull=False, merged_into=None),
            ),
            models.Index(fields=["practice", "birth_md"], name="patient_birthday", condition=models.Q(status="active")),
            models.Index(
                fields=["practice", "total_paid_cents"],
                include=["id", "kept_away"],
                condition=models.Q(merged_into=None),
                name="patient_paid",
            ),
            models.Index(
                fields=["practice", "merged_into"], condition=~models.Q(merged_into=None), name="patient_merged"
            ),
            models.Index(fields=["practice", "city_key"], name="patient_city"),
            models.Index(fields=["practice", "postal_code"], name="patient_zip"),
            models.Index(fields=["practice", "attorney"], condition=~models.Q(attorney=None), name="patient_attorney"),
            models.Index(
                fields=["practice", "care_package"], condition=~models.Q(care_package=None), name="patient_package"
            ),
            # In the order of the addresses: households are counted without sorting.
            models.Index(
                fields=["practice", "cell"],
                include=[
                    "id",
                    "merged_into",
                    "status",
                    "inactive_reason",
                    "can_text",
                    "kept_away",
                    "birth_date",
                    "last_visit_on",
                    "next_visit_at",
                    "care_package",
                ],
                name="patient_cell",
                condition=~models.Q(cell=""),
            ),
            models.Index(
                fields=["practice", "email"],
                include=[
                    "id",
                    "merged_into",
                    "status",
                    "inactive_reason",
                    "can_email",
                    "kept_away",
                    "birth_date",
                    "last_visit_on",
                    "next_visit_at",
                    "care_package",
                ],
                name="patient_email",
                condition=~models.Q(email=""),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or f"Patient {self.external_id}"

    @property
    def sort_name(self) -> str:
        return ", ".join(part for part in (self.last_name, self.first_name) if part) or self.name

    def address_for(self, channel: str) -> str:
        """The patient's current address on "text" or "email"; '' when there is none."""
        return self.cell if channel == "text" else self.email
