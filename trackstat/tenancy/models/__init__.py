from trackstat.tenancy.models.audit import AuditEvent
from trackstat.tenancy.models.base import PracticeManager, PracticeModel, PracticeQuerySet
from trackstat.tenancy.models.people import Membership, Role, RolePermission, User
from trackstat.tenancy.models.practice import Practice, PracticeSettings

__all__ = [
    "AuditEvent",
    "Membership",
    "Practice",
    "PracticeManager",
    "PracticeModel",
    "PracticeQuerySet",
    "PracticeSettings",
    "Role",
    "RolePermission",
    "User",
]
