"""Who pays for patients, and how much was paid."""

from typing import Any, ClassVar

from django import forms
from django.db.models import Q

from audience.filters.care import MONEY
from audience.filters.choices import Rows
from audience.filters.fields import Dollars, OneOf, ValuesForm
from audience.filters.registry import Filter, On, register
from audience.filters.there import HasOne
from audience.models import Coverage, Insurer, Patient
from trackstat.formats import money


class InsurerForm(ValuesForm):
    which = OneOf(
        label="Insured",
        choices=[("now", "insured by"), ("ever", "ever insured by")],
        error_messages={"required": "choose now or ever."},
    )
    insurers = Rows(Insurer, "insurance company", whats="insurance companies", label="Insurance companies")


@register
class InsuredBy(Filter):
    """Now: the coverage is active and has not ended."""

    key = "insurer"
    label = "Insurance company"
    group = MONEY
    icon = "shield-check"
    form = InsurerForm
    initial: ClassVar[dict[str, Any]] = {"which": "now"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        return Q(HasOne(Coverage, **self._where_covers(value, on), insurer__in=value["insurers"]))

    def describe(self, value: dict[str, Any]) -> str:
        return f"insurance{' ever' if value['which'] == 'ever' else ''} by {self.names('insurers', value)}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        covers = Coverage.objects.filter(**self._where_covers(value, on), patient=patient).select_related("insurer")
        names = {coverage.insurer.name: coverage.insurer_id in value["insurers"] for coverage in covers}
        chosen = [name for name, is_chosen in names.items() if is_chosen] or list(names)
        if not chosen:
            return "No insurance" if value["which"] == "ever" else "No insurance now"
        return f"Insurance by {', '.join(sorted(chosen))}"

    def _where_covers(self, value: dict[str, Any], on: On) -> dict[str, Any]:
        """Conditions of a coverage."""
        return {} if value["which"] == "ever" else {"is_active": True, "ends_on__none_or_gte": on.date}


class PaidForm(ValuesForm):
    min = Dollars(required=False, label="At least, in dollars")
    max = Dollars(required=False, label="At most, in dollars")
    joints: ClassVar[dict[str, str]] = {"min": "at least $", "max": "at most $"}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.errors:
            return cleaned
        least, most = cleaned["min"], cleaned["max"]
        if least is None and most is None:
            raise forms.ValidationError("Give at least or at most how many dollars.")
        if least is not None and most is not None and least > most:
            raise forms.ValidationError(f"{money(least)} is more than {money(most)}: exchange them.")
        return cleaned


@register
class TotalPaid(Filter):
    """All payments for a patient together. Who builds audiences need not be one who may see money, so no page says
    what a single patient has paid: only on which side of the chosen amounts it lies."""

    key = "total_paid"
    label = "Total paid"
    group = MONEY
    icon = "circle-dollar-sign"
    form = PaidForm
    initial: ClassVar[dict[str, Any]] = {"min": "500"}

    def q(self, value: dict[str, Any], on: On) -> Q:
        q = Q()
        if value["min"] is not None:
            q &= Q(total_paid_cents__gte=value["min"])
        if value["max"] is not None:
            q &= Q(total_paid_cents__lte=value["max"])
        return q

    def describe(self, value: dict[str, Any]) -> str:
        if value["max"] is None:
            return f"total paid {money(value['min'])} or more"
        if value["min"] is None:
            return f"total paid {money(value['max'])} or less"
        return f"total paid {money(value['min'])} to {money(value['max'])}"

    def why(self, value: dict[str, Any], patient: Patient, on: On) -> str:
        if value["min"] is not None and patient.total_paid_cents < value["min"]:
            return f"Has paid less than {money(value['min'])}"
        if value["max"] is not None and patient.total_paid_cents > value["max"]:
            return f"Has paid more than {money(value['max'])}"
        return f"Has paid {self.describe(value).removeprefix('total paid ')}"
