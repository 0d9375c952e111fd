"""What the values of CSV columns mean: every system's usual words, and the meanings a practice may map its own to."""

import re

from audience.ehr.words import INACTIVE_WORDS, NO_APPOINTMENT
from audience.models import Appointment, Category, Channel, Patient

AppointmentStatus = Appointment.Status
InactiveReason = Patient.InactiveReason

YES, NO = "yes", "no"
OPEN, CLOSED = "open", "closed"
ACTIVE = "active"
NONE = "none"
BOTH, ALL = "both", "all"

# Column → meaning → how the page calls it. Only these columns' words can be mapped.
MEANINGS: dict[str, dict[str, str]] = {
    "patients.status": {ACTIVE: "Active", **{value: label for value, label in InactiveReason.choices if value}},
    "patients.is_inactive": {YES: "Inactive", NO: "Active"},
    "patients.marketing_ok": {YES: "May be sent announcements", NO: "No announcements"},
    "patients.no_marketing": {YES: "No announcements", NO: "May be sent announcements"},
    "appointments.status": {**dict(AppointmentStatus.choices), NONE: "No appointment"},
    "cases.status": {OPEN: "Open", CLOSED: "Closed"},
    "diagnoses.status": {ACTIVE: "Active", CLOSED: "Over"},
    "coverages.status": {ACTIVE: "Active", CLOSED: "Over"},
    "services.is_void": {YES: "Voided", NO: "Counts"},
    "payments.is_void": {YES: "Voided", NO: "Counts"},
    "payments.payer": {"insurer": "Insurance", "patient": "Patient"},
    "opt_outs.channel": {Channel.TEXT.value: "Texts", Channel.EMAIL.value: "Email", BOTH: "Both"},
    "opt_outs.scope": {
        ALL: "Everything",
        Category.ANNOUNCEMENT.value: "Announcements",
        Category.APPOINTMENT.value: "Appointment messages",
    },
}


def _said(**words: str) -> dict[str, str]:
    """Meaning → its words, as word → meaning."""
    return {word: meaning for meaning, said in words.items() for word in said.split(",")}


_YES_OR_NO = _said(yes="yes,y,true,t,1,x,on,checked", no="no,n,false,f,0,off,unchecked") | {"": NO}
_ACTIVE = _said(active="active,a,current,new,existing,established,open,yes,y,true,t,1") | {"": ACTIVE}
_OVER = _said(closed="closed,inactive,i,no,n,false,f,0,over,ended,expired,terminated,resolved,completed,done,archived")
_MARKETING = {word: meaning for word, meaning in _YES_OR_NO.items() if word} | _said(
    yes="opted in,opt in,opt-in,ok,allowed,allow", no="opted out,opt out,opt-out,do not contact,dnc,declined,refused"
)

USUAL: dict[str, dict[str, str]] = {
    "patients.status": {
        **{word: str(reason) for word, reason in INACTIVE_WORDS.items()},
        **dict.fromkeys(("i", "no", "n", "false", "f", "0"), InactiveReason.INACTIVE.value),
        **_ACTIVE,
    },
    "patients.is_inactive": _YES_OR_NO,
    "patients.marketing_ok": _MARKETING,
    "patients.no_marketing": {word: meaning for word, meaning in _YES_OR_NO.items() if word},
    "appointments.status": {
        **_said(
            checked_in="checked in,checked-in,checkedin,check in,arrived,here,in,seen,kept,completed,complete,done,"
            "finished,fulfilled,checked out,checked-out,checkedout,departed,show,showed,attended,visited,in room,"
            "in progress,in-progress,with doctor,ready,closed,billed",
            scheduled="scheduled,schedule,booked,confirmed,unconfirmed,not confirmed,pending,active,open,new,reserved,"
            "future,upcoming,made,left message,reminded",
            missed="missed,no show,no-show,noshow,no showed,ns,dna,did not arrive,did not show,failed,absent",
            cancelled="cancelled,canceled,cancel,cxl,cx,rescheduled,reschedule,r/s,rs,moved,late cancel,"
            "late cancellation,cancelled by patient,cancelled by office,canceled by patient,canceled by office",
            none="deleted,void,voided,waitlist,wait list,waiting list,proposed,entered in error,entered-in-error,"
            "blocked,block",
        ),
        "": "scheduled",
    },
    "cases.status": {
        **_said(open="open,o,active,a,current,yes,y,true,t,1,pending,new,on hold", closed="discharged,settled,c"),
        **_OVER,
    },
    "diagnoses.status": {**_ACTIVE, **_OVER},
    "coverages.status": {**_ACTIVE, **_OVER},
    "services.is_void": _YES_OR_NO,
    "payments.is_void": _YES_OR_NO,
    "payments.payer": {
        **_said(
            insurer="insurance,insurer,ins,carrier,third party,eob,era,payer,payor,medicare,medicaid,insurance payment,"
            "insurance company,attorney",
            patient="patient,pt,self,cash,check,card,credit card,credit,visa,mastercard,patient payment,guarantor",
        ),
        "": "patient",
    },
    "opt_outs.channel": _said(
        text="text,texts,sms,txt,text message,text messages,phone,cell,mobile,mms",
        email="email,e-mail,mail,emails",
        both="both,all,any,everything,text and email,sms and email,all channels",
    ),
    "opt_outs.scope": {"": ALL} | _said(
        all="all,everything,any,stop,global,both,all messages",
        announcement="announcement,announcements,marketing,promotional,promotions,promo,newsletter,newsletters,offers,"
        "office updates,office updates and announcements,campaign,campaigns,ads",
        appointment="appointment,appointments,reminder,reminders,appointment reminders,appointment messages",
    ),
}  # fmt: skip
# Where nothing depends on it, a word that nobody knows means the usual thing.
OTHERWISE = {"payments.payer": "patient"}
APPOINTMENT: dict[str, str] = {
    **{status.value: status.value for status in AppointmentStatus},
    NONE: NO_APPOINTMENT,
}
# What the last rows of printed reports begin with.
FOOTER = re.compile(
    r"^(?:grand |sub)?totals?(?:\s*[:=]|\s*$|\s+\d)|^(?:\w+ )?(?:count|records|rows)\s*[:=]|^page \d"
    r"|^printed (?:on|by|at)\b|^end of (?:report|file|list)"
    r"|^\d+ (?:records|rows|patients)\b|^report (?:date|printed|generated)",
    re.IGNORECASE,
)


def said_yes(word: str) -> bool | None:
    """Of a column that has a date or a time, or only a yes or a no; None for what is neither."""
    meaning = _YES_OR_NO.get(word.strip().lower())
    return None if meaning is None else meaning == YES
