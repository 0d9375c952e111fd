"""Sending identities in Django admin, under the practice's URL. Secrets can be written there, never read."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from audience.models import Channel
from messaging.models import SendingIdentity
from messaging.providers.mime import mailbox
from messaging.providers.smtp import host_and_port
from trackstat.tenancy.admin import PracticeAdmin, site

FITS = {
    Channel.TEXT: {SendingIdentity.Provider.TWILIO},
    Channel.EMAIL: {SendingIdentity.Provider.MAILGUN, SendingIdentity.Provider.SMTP},
}


class SendingIdentityForm(forms.ModelForm):
    secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput,
        help_text=(
            "Twilio auth token, Mailgun API key, or user:password of the mail server (a colon alone for one without "
            "sign-in). Kept encrypted; leave empty to keep the present one."
        ),
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
        help_texts = {
            "address": "The number texts come from, like +16175550177, or the address emails come from.",
            "account": (
                "Twilio account SID, Mailgun domain, or the mail server as host:port, like smtp.example.com:587. "
                "Port 465 is encrypted from the start; on any other the server must offer STARTTLS."
            ),
        }

    def clean(self):
        cleaned = super().clean()
        provider = cleaned.get("provider")
        if provider and provider not in FITS.get(cleaned.get("channel", ""), set()):
            self.add_error("provider", "Texts go through Twilio, emails through Mailgun or a mail server (SMTP).")
        elif provider == SendingIdentity.Provider.SMTP:
            self._clean_mail_server(cleaned)
        elif not self.instance.pk and not cleaned.get("secret"):
            self.add_error("secret", "A new identity needs the secret of its account.")
        return cleaned

    def _clean_mail_server(self, cleaned):
        try:
            host_and_port(cleaned.get("account", ""))
        except ValueError:
            self.add_error("account", "Write the mail server as host:port, like smtp.example.com:587.")
        try:
            validate_email(cleaned.get("address", ""))
            mailbox(cleaned.get("address", ""))
        except (ValidationError, ValueError):
            self.add_error("address", "Emails need an address to come from, like hello@example.com.")
        # An empty field keeps what is there, which may be the key of another service.
        secret = cleaned.get("secret") or (self.instance.secret if self.instance.pk else "")
        if secret and ":" not in secret:
            self.add_error("secret", "Write user:password, or a colon alone for a server without sign-in.")

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
