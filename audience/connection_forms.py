"""What an Administrator says about a connection to an EHR. Nothing outside is asked here: the test does that."""

from pathlib import PurePosixPath
from typing import Any, cast

from django import forms

from audience import connecting
from audience.ehr import kinds
from audience.ehr.live import addresses
from audience.ehr.live.server import TYPES
from audience.ehr.live.trouble import Refused
from audience.models import EhrConnection

Kind, Level, Algorithm = EhrConnection.Kind, EhrConnection.Level, EhrConnection.Algorithm
_SCHEDULES = {15: "Every 15 minutes", 30: "Every 30 minutes", 60: "Every hour", 240: "Every 4 hours"}
_SCHEDULES |= {720: "Every 12 hours", 1440: "Once a day"}
_EVERY: list[tuple[Any, str]] = [*_SCHEDULES.items(), ("", "Only when somebody presses Run now")]
_LEVELS = {
    Level.PATIENT: "Bulk export of all patients (most EHRs)",
    Level.GROUP: "Bulk export of a group of patients",
    Level.SYSTEM: "Bulk export of everything the EHR has",
    Level.NONE: "One record after the other (slow; for EHRs without bulk export)",
}
_ALGORITHMS = {Algorithm.RS384: "RSA (RS384): every EHR takes it", Algorithm.ES384: "Elliptic curve (ES384)"}
_POLLED = [(kind, kinds.words(kind)) for kind in sorted(TYPES, key=kinds.place)]


class ConnectionForm(forms.ModelForm):
    every = forms.TypedChoiceField(
        label="How often",
        choices=_EVERY,
        coerce=int,
        empty_value=None,
        required=False,
        initial=60,
        help_text="Each time only what has changed since the last run is fetched.",
    )
    goes_on_with = forms.ChoiceField(
        label="Patients who are here already",
        required=False,
        help_text="If your EHR's patients came another way before, say so here: they are then kept in step instead of "
        "appearing twice.",
    )

    class Meta:
        model = EhrConnection
        fields: tuple[str, ...] = ("name",)
        help_texts = {"name": "As your staff call the EHR."}

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        left = {} if self.instance.pk else connecting.left_behind()
        if left:
            offered = [(source, f"Goes on with the {n:,} from “{source}”") for source, n in sorted(left.items())]
            self._offer("goes_on_with", [("", "No: everybody in it is new"), *offered])
        else:
            del self.fields["goes_on_with"]
        if self.instance.pk:
            self.initial["every"] = self.instance.every_minutes or ""
            if self.instance.every_minutes and self.instance.every_minutes not in _SCHEDULES:
                own = (self.instance.every_minutes, f"Every {self.instance.every_minutes} minutes")
                self._offer("every", [own, *_EVERY])

    def _offer(self, name: str, choices: list[tuple[Any, str]]) -> None:
        cast(forms.ChoiceField, self.fields[name]).choices = choices

    @property
    def changed_fields(self) -> list[str]:
        """Names of the columns that differ from what was saved."""
        return ["every_minutes" if name == "every" else name for name in self.changed_data]

    def save(self, commit: bool = True) -> EhrConnection:
        self.instance.every_minutes = self.cleaned_data["every"]
        return super().save(commit)

    def clean_name(self) -> str:
        name = " ".join(self.cleaned_data["name"].split())
        if EhrConnection.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("There is a connection of this name already. Give this one another name.")
        return name


class ServerForm(ConnectionForm):
    base_url = forms.URLField(
        label="Address of the FHIR server",
        max_length=300,
        assume_scheme="https",
        widget=forms.TextInput(attrs={"inputmode": "url", "placeholder": "https://fhir.vendor.example/r4"}),
        help_text="Your EHR's vendor calls it the FHIR base URL. It begins with https.",
    )
    client_id = forms.CharField(
        label="Client id",
        max_length=200,
        required=False,
        help_text="The vendor gives it to you when they have entered our key. You may leave it empty until then.",
    )
    export_level = forms.ChoiceField(label="What to fetch", choices=list(_LEVELS.items()), initial=Level.PATIENT)
    group_id = forms.CharField(label="Id of the group", max_length=100, required=False)
    polled_types = forms.MultipleChoiceField(
        label="Also ask for these, one page after the other",
        choices=_POLLED,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        initial=["Appointment"],
        help_text="For what your EHR leaves out of its exports; most leave out appointments.",
    )
    algorithm = forms.ChoiceField(
        label="Kind of key",
        choices=list(_ALGORITHMS.items()),
        initial=Algorithm.RS384,
        help_text="Another kind means a new key, which your EHR's vendor has to enter before anything comes again.",
    )

    class Meta(ConnectionForm.Meta):
        fields = ("name", "base_url", "client_id", "export_level", "group_id", "polled_types", "algorithm")

    field_order = (*Meta.fields[:-1], "every", "goes_on_with", "algorithm")

    def clean_base_url(self) -> str:
        url = self.cleaned_data["base_url"].rstrip("/").removesuffix("/metadata")
        if "?" in url or "#" in url:
            raise forms.ValidationError("Leave out the question mark or # and what comes after it.")
        try:
            addresses.check(url)
        except Refused as refused:
            raise forms.ValidationError(f"{refused}.") from None
        return url

    def clean(self) -> dict[str, Any] | None:
        said = super().clean() or {}
        if said.get("export_level") == Level.GROUP and not said.get("group_id"):
            self.add_error("group_id", "Your EHR's vendor gives you the group's id. Enter it, or fetch all patients.")
        if said.get("export_level") == Level.NONE and "Patient" not in said.get("polled_types", ["Patient"]):
            self.add_error("polled_types", "Without an export nobody comes unless patients are ticked here.")
        return said


class FolderForm(ConnectionForm):
    folder = forms.CharField(
        label="Folder",
        max_length=200,
        required=False,
        help_text="Within your practice's own drop folder on this installation; empty is that folder itself.",
    )

    is_snapshot = forms.BooleanField(
        label="Each delivery has everybody",
        required=False,
        help_text="Then patients who are not in it become inactive. Leave it unticked if your EHR writes only what has "
        "changed.",
    )

    class Meta(ConnectionForm.Meta):
        fields = ("name", "folder", "is_snapshot")

    field_order = ("name", "folder", "is_snapshot", "every", "goes_on_with")

    def clean_folder(self) -> str:
        said = self.cleaned_data["folder"].strip().strip("/")
        if "\0" in said or "\\" in said or ".." in PurePosixPath(said).parts:
            raise forms.ValidationError("Write the folder's name with / between folders, and without “..”.")
        return said


FORMS: dict[str, type[ConnectionForm]] = {Kind.FHIR: ServerForm, Kind.FOLDER: FolderForm, Kind.CSV: FolderForm}


def form_for(connection: EhrConnection, data: Any = None) -> ConnectionForm:
    return FORMS[connection.kind](data, instance=connection)
