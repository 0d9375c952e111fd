from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Permission, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower

from trackstat.clock import Now
from trackstat.tenancy.fields import PracticeForeignKey
from trackstat.tenancy.models.base import PracticeManager, PracticeModel


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email):
        return self.get(email__iexact=email)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in by email; what they may do is said by their memberships, practice by practice."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False, help_text="May open Django admin.")
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        words = (self.name or self.email).split()
        return "".join(word[0] for word in words[:2]).upper()


class Role(PracticeModel):
    """What a group of a practice's people may do, as Django permissions. Four are seeded, see tenancy/roles.py."""

    name = models.CharField(max_length=60)
    permissions = models.ManyToManyField(Permission, through="RolePermission", related_name="+")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["practice", "name"], name="role_name_once")]

    def __str__(self) -> str:
        return self.name


class RolePermission(PracticeModel):
    role = PracticeForeignKey(Role, models.CASCADE, related_name="granted")
    permission = models.ForeignKey(Permission, models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["practice", "role", "permission"], name="role_permission_once"),
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.permission.codename}"


class Membership(PracticeModel):
    """A person's place in a practice."""

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = PracticeForeignKey(Role, models.PROTECT, related_name="memberships")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = PracticeManager()
    # Row-level security shows a person their own memberships in every practice; used by the switcher only.
    own = models.Manager()

    class Meta:
        permissions = [("manage_people", "Can manage people and roles")]
        constraints = [models.UniqueConstraint(fields=["practice", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"

    def permissions(self) -> frozenset[str]:
        """Codenames such as "campaigns.change_campaign", read anew for each request: a change takes effect at once."""
        if not hasattr(self, "_permissions"):
            rows = RolePermission.objects.filter(role_id=self.role_id).values_list(
                "permission__content_type__app_label", "permission__codename"
            )
            self._permissions = frozenset(f"{app}.{codename}" for app, codename in rows)
        return self._permissions

    def can(self, permission: str) -> bool:
        return permission in self.permissions()
