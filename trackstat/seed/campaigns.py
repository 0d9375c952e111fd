"""What the demo's practices have sent in the last weeks, and what they prepare: the words and the filters."""

import datetime as dt
from dataclasses import dataclass

from audience.models import Category, Channel


@dataclass(frozen=True)
class PastCampaign:
    name: str
    channel: str
    days_ago: int
    # The practice's wall clock.
    time: dt.time
    definition: dict
    body: str
    subject: str = ""
    category: str = Category.ANNOUNCEMENT


def _primary(key: str, **value) -> dict:
    return {"primary": {"key": key, "value": value}, "filters": _ACTIVE}


_ACTIVE = [{"key": "status", "mode": "include", "value": {"status": "active"}}]
_LAPSED = _primary("last_visit", range="ago", least=6, most=18, unit="months")
_RECENT = _primary("last_visit", range="last", most=3, unit="months")
_THIS_YEAR = _primary("last_visit", range="last", most=18, unit="months")

NEWSLETTER = PastCampaign(
    "Newsletter: lifting without backache",
    Channel.EMAIL,
    44,
    dt.time(9, 30),
    _THIS_YEAR,
    "<p>Hi {{PatientFirstName|there}},</p>"
    "<p>Garden, garage, groceries: something heavy is always waiting. Three things your back will thank you for:</p>"
    "<ul><li>Warm up for five minutes before you start.</li><li>Switch hands every few minutes.</li>"
    "<li>Bend your knees, not your back.</li></ul>"
    "<p>Sore anyway? Call us at {{PracticePhone}} and we will find you a time this week.</p>"
    "<p>Your team at {{PracticeName}}</p>",
    "Heavy things, without the backache",
)
REACTIVATION = PastCampaign(
    "We miss you (6 to 18 months)",
    Channel.TEXT,
    37,
    dt.time(10, 30),
    _LAPSED,
    "Hi {{PatientPreferredName|there}}, it has been a while since your last visit on {{LastVisitDate|record}}. "
    "Would you like to come in for a check? Just reply to this text. {{PracticeName}}",
)
CLOSED = PastCampaign(
    "Office closed on Friday",
    Channel.TEXT,
    13,
    dt.time(11, 0),
    _RECENT,
    "{{PracticeName}}: our office is closed this Friday for staff training. We are back on Monday at 8. "
    "Questions? {{PracticePhone}}",
    category=Category.APPOINTMENT,
)
WORKSHOP = PastCampaign(
    "Workshop: a desk that does not hurt",
    Channel.EMAIL,
    20,
    dt.time(12, 15),
    _THIS_YEAR,
    "<p>Hi {{PatientFirstName|there}},</p><p>Sitting all day? Join our free workshop next Thursday at 6 pm: how to set "
    "up chair, screen and keyboard so that your neck stays happy. Bring a friend, bring questions.</p>"
    "<p>Please reply to this email to save a seat.</p><p>{{PracticeName}}</p>",
    "Free workshop: a desk that does not hurt",
)
LONG_DRIVE = PastCampaign(
    "Going on a long drive?",
    Channel.TEXT,
    5,
    dt.time(15, 0),
    _RECENT,
    "Hi {{PatientFirstName|there}}, hours in the car ahead? Reply to this text and we will find you a time "
    "for a tune-up before you travel. {{PracticeName}}",
)

PAST = {
    "northside": (NEWSLETTER, REACTIVATION, WORKSHOP, CLOSED, LONG_DRIVE),
    "southside": (NEWSLETTER, REACTIVATION, LONG_DRIVE),
}

DRAFT = PastCampaign(
    "Straight back, better days",
    Channel.TEXT,
    0,
    dt.time(10, 0),
    _LAPSED,
    "Hi {{PatientFirstName|there}}, time for a posture check? Reply YES and we will call you with a time. "
    "{{PracticeName}}",
)
BIRTHDAY = "Happy birthday, {{PatientPreferredName|friend}}! Have a wonderful day, from all of us at {{PracticeName}}."

REPLIES = (
    "Yes please, do you have anything Thursday afternoon?",
    "Thanks for the reminder! I'll call tomorrow.",
    "Can I bring my daughter, too?",
    "I moved to Florida last spring, but thank you.",
    "Is Dr. Delgado still there? I'd like to see her.",
    "ok great",
    "My back has been acting up again. What times do you have on Monday?",
    "Who is this?",
    "Sounds good 👍",
    "Not right now, maybe next month",
    "Do you take Blue Cross?",
    "Please call me at work instead, I'm there until 5",
    "Yes",
    "What is the price without insurance?",
)
STOPS = ("STOP", "Stop", "stop", "STOP", "Unsubscribe", "please stop texting me")
