"""What staff type in the wizard, checked field by field before campaigns.drafts keeps it."""

import datetime as dt

from django import forms

from audience.models import Category, Channel
from campaigns.models import Step


class NameForm(forms.Form):
    name = forms.CharField(max_length=120, label="Name", help_text="Only staff see it.")
    category = forms.ChoiceField(
        choices=Category,
        initial=Category.ANNOUNCEMENT,
        label="What it is about",
        help_text="Patients can opt out of either. Announcements never go to patients tagged “not qualified”.",
    )


class MessageForm(forms.Form):
    """One message and when it goes out; date and time are the practice's local ones."""

    channel = forms.ChoiceField(choices=Channel, initial=Channel.TEXT, label="Send it as", widget=forms.RadioSelect)
    subject = forms.CharField(max_length=200, label="Subject")
    body = forms.CharField(label="Message", strip=False, widget=forms.Textarea(attrs={"rows": 7}), max_length=20000)
    when = forms.ChoiceField(
        choices=[(Step.When.NOW, "Now, when I switch it on"), (Step.When.AT, "At a date and time")],
        initial=Step.When.NOW,
        label="When it goes out",
        widget=forms.RadioSelect,
    )
    date = forms.DateField(label="Date", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    time = forms.TimeField(label="Time", widget=forms.TimeInput(attrs={"type": "time", "step": "300"}, format="%H:%M"))

    use_required_attribute = False
    # Kept unfinished while one writes; switching on says what is missing.
    MAY_WAIT = ("subject", "body", "date", "time")

    def full_clean(self):
        for name in self.MAY_WAIT:
            self.fields[name].required = False
        super().full_clean()
        for name in self.MAY_WAIT:
            self.fields[name].required = True

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("when") == Step.When.AT and not (cleaned.get("date") and cleaned.get("time")):
            cleaned["date"] = cleaned["time"] = None
        return cleaned

    @property
    def at_local(self) -> dt.datetime | None:
        if self.cleaned_data.get("date") and self.cleaned_data.get("time"):
            return dt.datetime.combine(self.cleaned_data["date"], self.cleaned_data["time"])
        return None


def message_initial(step: Step | None) -> dict:
    if step is None:
        return {}
    content, wall = step.content, step.wall_time
    return {
        "channel": step.channel,
        "subject": content.subject if content else "",
        "body": content.body if content else "",
        "when": step.when,
        "date": wall.date() if wall else None,
        "time": wall.time() if wall else None,
    }


class DripForm(forms.Form):
    """A birthday drip on one plain page."""

    name = forms.CharField(max_length=120, label="Name", help_text="Only staff see it.")
    channel = forms.ChoiceField(choices=Channel, initial=Channel.TEXT, label="Send it as", widget=forms.RadioSelect)
    time_of_day = forms.TimeField(
        label="At",
        initial=dt.time(10, 0),
        help_text="On the patient's birthday, by the practice's clock.",
        widget=forms.TimeInput(attrs={"type": "time", "step": "300"}, format="%H:%M"),
    )
    subject = forms.CharField(max_length=200, required=False, label="Subject")
    body = forms.CharField(
        label="Message",
        widget=forms.Textarea(attrs={"rows": 6}),
        max_length=20000,
        initial="Happy birthday, {{PatientFirstName|dear patient}}! All the best from {{PracticeName}}.",
    )

    one_per_household = forms.BooleanField(
        required=False,
        initial=True,
        label="One message a household and day",
        help_text="Where two share the phone or mailbox, the eldest gets it.",
    )

    def clean(self):
        cleaned = super().clean()
        if cleaned.get("channel") == Channel.EMAIL and not cleaned.get("subject"):
            self.add_error("subject", "An email needs a subject.")
        return cleaned
