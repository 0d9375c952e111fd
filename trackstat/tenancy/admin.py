"""Django admin under a practice's URL: Administrators manage memberships and roles, superusers one at a time."""

from functools import update_wrapper
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest
from django.shortcuts import redirect

from trackstat.tenancy import audit
from trackstat.tenancy.models import AuditEvent, Membership, PracticeSettings, Role, RolePermission, User
from trackstat.tenancy.roles import ADMINISTRATOR

MANAGE = "tenancy.manage_people"


def may(request: HttpRequest, *permissions: str) -> bool:
    """Whether the person holds one of `permissions` in the practice; a superuser visiting it does."""
    if request.user.is_superuser:
        return True
    return request.membership is not None and any(request.membership.can(permission) for permission in permissions)


class PracticeAdminSite(admin.AdminSite):
    """Apps register what else a practice administers, e.g. messaging its sending identities."""

    site_header = site_title = "TrackStat administration"
    index_title = "People, roles and settings"
    enable_nav_sidebar = False

    def has_permission(self, request):
        return request.user.is_active and may(request, *{model.needs for model in self._registry.values()})

    def admin_view(self, view, cacheable=False):
        """Whoever lacks the permission is refused; the middleware lets nobody anonymous come here."""
        inner = super().admin_view(view, cacheable)

        def guarded(request, *args, **kwargs):
            if not self.has_permission(request):
                raise PermissionDenied(MANAGE)
            return inner(request, *args, **kwargs)

        return update_wrapper(guarded, inner)

    def login(self, request, extra_context=None):
        raise PermissionDenied(MANAGE)

    def logout(self, request, extra_context=None):
        return redirect("/accounts/logout/")

    def password_change(self, request, extra_context=None):
        return redirect("/accounts/password/change/")


site = PracticeAdminSite(name="admin")


class PracticeAdmin(admin.ModelAdmin):
    """Rows of the practice in scope; what is done is kept as audit rows, not as Django's LogEntry."""

    # The permission that opens these rows.
    needs = MANAGE

    def has_view_permission(self, request, obj=None):
        return may(request, self.needs)

    def has_add_permission(self, request, obj=None):
        return may(request, self.needs)

    has_change_permission = has_module_permission = has_add_permission

    def has_delete_permission(self, request, obj=None):
        return False

    # Fields whose values before and after the audit row names; never a patient's or a person's data.
    told: tuple[str, ...] = ()

    def save_model(self, request, obj, form, change):
        before = dict.fromkeys(self.told)
        if change and self.told:
            before = type(obj).objects.filter(pk=obj.pk).values(*self.told).get()
        super().save_model(request, obj, form, change)
        after = {name: getattr(obj, name) for name in self.told}
        request.told = {name: [before[name], after[name]] for name in self.told if before[name] != after[name]}

    def log_addition(self, request, obj, message):
        audit.record(f"{obj._meta.model_name}.added", obj, values=request.told)

    def log_change(self, request, obj, message):
        fields = [name for change in message if "changed" in change for name in change["changed"]["fields"]]
        audit.record(f"{obj._meta.model_name}.changed", obj, fields=fields, values=request.told)

    def history_view(self, request, object_id, extra_context=None):
        raise Http404


class GrantableRole(forms.ModelForm):
    """Nobody gives a role that may do more than they may themselves."""

    grantable: frozenset[str] = frozenset()

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        beyond = RolePermission.objects.exclude(permission__in=_permissions(self.grantable)).values("role_id")
        self.fields["role"].queryset = Role.objects.exclude(pk__in=beyond)


class MembershipForm(GrantableRole):
    """An account belongs to its person: here only their place in this practice is changed."""

    class Meta:
        model = Membership
        fields = ("role", "is_active")

    def clean(self):
        cleaned = super().clean()
        if self.instance.pk and not _somebody_manages_without(self.instance, cleaned):
            raise ValidationError("Nobody could manage people any more: make someone else an Administrator first.")
        return cleaned


class NewMembershipForm(GrantableRole):
    email = forms.EmailField(help_text="The person signs in with it. Someone new sets a password by “Forgot password”.")
    name = forms.CharField(max_length=120, required=False, help_text="Only for someone new.")

    class Meta:
        model = Membership
        fields = ("role", "is_active")

    def clean_email(self):
        email = self.cleaned_data["email"].lower()
        if Membership.objects.filter(user__email=email).exists():
            raise ValidationError("This person is already a member: change their row in the list.")
        return email

    def save(self, commit=True):
        email = self.cleaned_data["email"]
        user = User.objects.filter(email=email).first()
        self.instance.user = user or User.objects.create_user(email, name=self.cleaned_data["name"])
        return super().save(commit)


def _somebody_manages_without(membership: Membership, cleaned: dict[str, Any]) -> bool:
    managers = RolePermission.objects.filter(
        permission__codename="manage_people", permission__content_type__app_label="tenancy"
    ).values("role_id")
    if cleaned.get("is_active") and managers.filter(role=cleaned.get("role")).exists():
        return True
    return Membership.objects.filter(role__in=managers, is_active=True).exclude(pk=membership.pk).exists()


@admin.register(Membership, site=site)
class MembershipAdmin(PracticeAdmin):
    list_display = ("user", "email", "role", "is_active")
    list_select_related = ("user", "role")
    ordering = ("user__name",)
    search_fields = ("user__name", "user__email")

    told = ("role_id", "is_active")

    def get_form(self, request, obj=None, **kwargs):
        form = MembershipForm if obj else NewMembershipForm
        return type(form.__name__, (form,), {"grantable": _grantable(request)})

    def get_fields(self, request, obj=None):
        return ("user", "role", "is_active") if obj else ("email", "name", "role", "is_active")

    def get_readonly_fields(self, request, obj=None):
        return ("user",) if obj else ()

    @admin.display(ordering="user__email")
    def email(self, membership):
        return membership.user.email


class RoleForm(forms.ModelForm):
    may = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    grantable: frozenset[str] = frozenset()

    class Meta:
        model = Role
        fields = ("name",)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        labels = _permission_labels()
        self.fields["may"].choices = [(name, labels[name]) for name in sorted(self.grantable)]
        self.fields["may"].initial = sorted(self._held())

    def clean_may(self):
        chosen = set(self.cleaned_data["may"])
        # What this person may not grant stays as it is.
        self.wanted = chosen | (self._held() - self.grantable)
        if MANAGE in self._held() and MANAGE not in self.wanted and not self._others_manage():
            raise ValidationError("Nobody could manage people any more: give another role that permission first.")
        return sorted(chosen)

    def _held(self) -> set[str]:
        if not self.instance.pk:
            return set()
        rows = RolePermission.objects.filter(role=self.instance)
        return {f"{app}.{code}" for app, code in rows.values_list(*_PERMISSION)}

    def _others_manage(self) -> bool:
        others = RolePermission.objects.filter(permission__codename="manage_people").exclude(role=self.instance)
        return Membership.objects.filter(role__in=others.values("role_id"), is_active=True).exists()


_PERMISSION = ("permission__content_type__app_label", "permission__codename")


def _grantable(request: HttpRequest) -> frozenset[str]:
    return frozenset(ADMINISTRATOR if request.user.is_superuser else request.membership.permissions())


def _permissions(names: frozenset[str]) -> list[Permission]:
    every = Permission.objects.select_related("content_type")
    return [one for one in every if f"{one.content_type.app_label}.{one.codename}" in names]


def _permission_labels() -> dict[str, str]:
    return {
        f"{permission.content_type.app_label}.{permission.codename}": permission.name
        for permission in Permission.objects.select_related("content_type")
    }


@admin.register(Role, site=site)
class RoleAdmin(PracticeAdmin):
    fields = ("name", "may")

    def get_form(self, request, obj=None, **kwargs):
        return type("RoleForm", (RoleForm,), {"grantable": _grantable(request)})

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        held, wanted = form._held(), form.wanted
        permissions = {
            f"{permission.content_type.app_label}.{permission.codename}": permission
            for permission in Permission.objects.select_related("content_type")
        }
        for name in held - wanted:
            RolePermission.objects.filter(role=obj, permission=permissions[name]).delete()
        RolePermission.objects.bulk_create(
            RolePermission(role=obj, permission=permissions[name]) for name in sorted(wanted - held)
        )
        if held != wanted:
            audit.record("role.permissions", obj, given=sorted(wanted - held), taken=sorted(held - wanted))


@admin.register(PracticeSettings, site=site)
class PracticeSettingsAdmin(PracticeAdmin):
    needs = "tenancy.change_practicesettings"

    def has_add_permission(self, request):
        return False


@admin.register(AuditEvent, site=site)
class AuditEventAdmin(PracticeAdmin):
    needs = "tenancy.view_auditevent"
    list_display = ("at", "user", "action", "object_type", "object_id", "ip")
    list_select_related = ("user",)
    list_filter = ("action",)
    search_fields = ("user__email", "action")
    date_hierarchy = None
    ordering = ("-at",)
    show_full_result_count = False

    def has_add_permission(self, request):
        return False

    def has_change_permission(self, request, obj=None):
        return False
