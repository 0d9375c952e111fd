"""Sending identities in Django admin, under the practice's URL. Secrets can be written there, never read."""

from django import forms
from django.contrib import admin

from messaging.models import SendingIdentity
from trackstat.tenancy.admin import PracticeAdmin, site


class SendingIdentityForm(forms.ModelForm):
    secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput,
        help_text="Twilio auth token or Mailgun API key. Kept encrypted; leave empty to keep the present one.",
    )
    webhook_secret = forms.CharField(
        required=False, widget=forms.PasswordInput, help_text="Mailgun's webhook signing key. Leave empty to keep it."
    )

    class Meta:
        model = SendingIdentity
        fields = (
            "label",
            "channel",
            "provider",
            "address",
            "messaging_service",
            "from_name",
            "reply_to",
            "account",
            "registration",
            "is_active",
            "rate_per_second",
            "daily_cap",
        )

    def clean(self):
        cleaned = super().clean()
        fits = {"text": {"twilio"}, "email": {"mailgun"}}
        if cleaned.get("provider") and cleaned["provider"] not in fits.get(cleaned.get("channel", ""), set()):
            self.add_error("provider", "Texts go through Twilio, emails through Mailgun.")
        if not self.instance.pk and not cleaned.get("secret"):
            self.add_error("secret", "A new identity needs the secret of its account.")
        return cleaned

    def save(self, commit=True):
        for name in ("secret", "webhook_secret"):
            if self.cleaned_data.get(name):
                setattr(self.instance, name, self.cleaned_data[name])
        return super().save(commit)


@admin.register(SendingIdentity, site=site)
class SendingIdentityAdmin(PracticeAdmin):
    needs = "messaging.manage_identity"
    form = SendingIdentityForm
    fields = (*SendingIdentityForm.Meta.fields, "secret", "webhook_secret")
    list_display = ("label", "channel", "address", "provider", "registration", "is_active", "paused_reason")
    told = ("address", "account", "registration", "is_active", "rate_per_second", "daily_cap")

    def save_model(self, request, obj, form, change):
        if not change:
            # Only the demo's seed makes identities of the sandbox.
            obj.is_sandbox = False
        super().save_model(request, obj, form, change)
