from typing import Any

from django.db import models

from trackstat.tenancy.models import PracticeModel
from trackstat.tenancy.scope import practice_id_in_scope


class OfPatient(PracticeModel):
    """A row of a patient's.

    Its key to the patient holds the practice, whose existence the patient's own key checks: a second check for each row
    of an import would tell nothing.
    """

    practice: Any = models.ForeignKey(
        "tenancy.Practice",
        models.PROTECT,
        default=practice_id_in_scope,
        editable=False,
        db_index=False,
        db_constraint=False,
        related_name="+",
    )

    class Meta:
        abstract = True
