"""Where a practice's patients come from, and each time they were fetched from there."""

import datetime as dt
from collections import Counter

from django.contrib.postgres.fields import ArrayField
from django.db import models

from audience.models.ehr import ImportRun
from trackstat.clock import Now
from trackstat.crypto import decrypt, encrypt
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models import PracticeManager, PracticeModel


def _appointments() -> list[str]:
    """What bulk exports leave out most often."""
    return ["Appointment"]


class ConnectionManager(PracticeManager):
    def due(self, now: dt.datetime) -> "models.QuerySet[EhrConnection]":
        """Those to work on: a sync under way whose next look is due, or a schedule that is."""
        under_way = EhrSync.objects.filter(connection=models.OuterRef("pk"), finished_at=None)
        scheduled = models.Q(is_active=True, every_minutes__isnull=False) & (
            models.Q(next_at=None) | models.Q(next_at__lte=now)
        )
        return self.filter(
            models.Q(models.Exists(under_way.filter(next_at__lte=now))) | (~models.Exists(under_way) & scheduled)
        )


class EhrConnection(PracticeModel):
    """A FHIR server, or a folder that the EHR drops its exports into."""

    class Kind(models.TextChoices):
        FHIR = "fhir", "FHIR server"
        FOLDER = "folder", "Folder of FHIR files"
        CSV = "csv", "Folder of CSV files"

    class Level(models.TextChoices):
        GROUP = "group", "The patients of a group"
        PATIENT = "patient", "All patients"
        SYSTEM = "system", "Everything"
        NONE = "none", "No bulk export"

    class Algorithm(models.TextChoices):
        RS384 = "RS384", "RS384"
        ES384 = "ES384", "ES384"

    class State(models.TextChoices):
        NEW = "new", "Not synced yet"
        WORKING = "working", "Works"
        FAILING = "failing", "Does not work"

    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=80)
    # Ids are unique within it; it stands on every row that came this way, so it never changes.
    source = models.CharField(max_length=40)
    is_active = models.BooleanField(default=True)

    base_url = models.URLField(max_length=300, blank=True, help_text="Address of the FHIR server, without a resource.")
    client_id = models.CharField(max_length=200, blank=True)
    algorithm = models.CharField(max_length=5, choices=Algorithm, default=Algorithm.RS384)
    # Which key it is in the key set that the EHR knows.
    key_id = models.CharField(max_length=100, blank=True)
    encrypted_private_key = models.TextField(blank=True)
    export_level = models.CharField(max_length=10, choices=Level, default=Level.PATIENT)
    group_id = models.CharField(max_length=100, blank=True)
    # Resource types asked for one page after the other, where an export has no file of them.
    polled_types = ArrayField(models.CharField(max_length=60), default=_appointments, blank=True)
    folder = models.CharField(max_length=200, blank=True, help_text="Within the practice's own drop folder.")
    # Of folders: each drop has everybody, so whoever it lacks becomes inactive.
    is_snapshot = models.BooleanField(default=False)
    # Of CSV files: which column is which, see `audience.ehr.csv.mapping`. {} = the usual headings.
    mapping = models.JSONField(default=dict, blank=True)

    # Null: only when somebody asks.
    every_minutes = models.PositiveIntegerField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, editable=False)
    # Where the next sync goes on: the server's word for its time, or what a folder looked like. '' = from the start.
    marker = models.CharField(max_length=100, blank=True, editable=False)
    last_began_at = models.DateTimeField(null=True, editable=False)
    last_ended_at = models.DateTimeField(null=True, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.NEW, editable=False)
    problem = models.CharField(max_length=500, blank=True, editable=False)

    objects = ConnectionManager()

    class Meta:
        verbose_name = "EHR connection"
        constraints = [models.UniqueConstraint(fields=["practice", "source"], name="ehr_connection_source_once")]

    def __str__(self) -> str:
        return self.name

    @property
    def private_key(self) -> str:
        return decrypt(self.encrypted_private_key)

    @private_key.setter
    def private_key(self, value: str) -> None:
        self.encrypted_private_key = encrypt(value)

    def is_due(self, now: dt.datetime) -> bool:
        return bool(self.is_active and self.every_minutes and (self.next_at is None or self.next_at <= now))


class EhrSync(PracticeModel):
    """One time that a connection was read, over as many tasks as it takes. What is not over goes on at `next_at`."""

    class State(models.TextChoices):
        ASKING = "asking", "Asking the EHR"
        WAITING = "waiting", "The EHR is preparing the export"
        FETCHING = "fetching", "Fetching"
        IMPORTING = "importing", "Importing"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    connection = PracticeForeignKey(EhrConnection, models.CASCADE, related_name="syncs")
    state = models.CharField(max_length=10, choices=State, default=State.ASKING)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(db_default=Now())
    # What was asked from, and what the next sync will ask from if this one succeeds.
    since = models.CharField(max_length=100, blank=True)
    marker = models.CharField(max_length=100, blank=True)
    # Where the server tells how far the export is.
    status_url = models.TextField(blank=True)
    # {"step": "Fetching", "words": "Patient", "done": 3, "total": 12, "records": 0, "seconds": 4.2}: files while
    # fetching, bytes and chunks while importing; `seconds` since the step began.
    progress = models.JSONField(default=dict)
    files = models.PositiveIntegerField(default=0)
    size = models.BigIntegerField(default=0, help_text="Bytes.")
    # Times in a row that it had to stop because something outside did not work.
    tries = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)
    # What the EHR said it could not export, by its codes: {"not-found": 2}. Holds no patient data.
    left_out = models.JSONField(default=dict)
    import_run = PracticeForeignKey(ImportRun, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["practice", "connection"], condition=models.Q(finished_at=None), name="ehr_sync_one_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["practice", "connection", "-started_at"], name="ehr_sync_latest")]

    def __str__(self) -> str:
        return f"Sync {self.pk} ({self.state})"

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None

    @property
    def took(self) -> float | None:
        """Seconds."""
        return (self.finished_at - self.started_at).total_seconds() if self.finished_at else None

    @property
    def sums(self) -> Counter[str]:
        """Records of all kinds together: {"new": 60, "rejected": 2}; names as in ImportRun.counts."""
        found: Counter[str] = Counter()
        for counts in (self.import_run.counts if self.import_run else {}).values():
            found.update(counts)
        return found


class EhrTest(PracticeModel):
    """One try-out of a connection: what would come, or what is wrong. It changes nothing of the patients."""

    class State(models.TextChoices):
        RUNNING = "running", "Being tested"
        DONE = "done", "Works"
        FAILED = "failed", "Does not work"

    connection = PracticeForeignKey(EhrConnection, models.CASCADE, related_name="tests")
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    asked_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True)
    # See `audience.ehr.live.tryout.try_out`: numbers, ids in the EHR, headings of files.
    found = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["practice", "connection"], condition=models.Q(finished_at=None), name="ehr_test_one_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["practice", "connection", "-asked_at"], name="ehr_test_latest")]

    def __str__(self) -> str:
        return f"Test {self.pk} ({self.state})"
