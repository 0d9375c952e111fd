"""What the filters on appointments, care, money, places and messages mean, written a second time: plain Python."""

import datetime as dt


def _open(case, today):
    return case.is_active and (case.ends_on is None or case.ends_on >= today)


def _ahead(row, now):
    return sorted((each for each in row.appointments if each.status == "scheduled" and each.at > now), key=_moment)


def _moment(appointment):
    return appointment.at


def _has_future(row, value, now):
    purposes, providers = value.get("purposes"), value.get("providers")
    fit = [
        each
        for each in _ahead(row, now)
        if (not purposes or each.purpose in purposes) and (not providers or each.provider in providers)
    ]
    return bool(fit) == (value["has"] == "yes")


def _of_appointment(row, which, picked, in_range, now):
    """`picked` says whether an appointment is one of those looked for."""
    if which == "last_visit":
        days = [each.on for each in row.appointments if each.status == "checked_in"]
        return any(each.status == "checked_in" and each.on == max(days) and picked(each) for each in row.appointments)
    if which == "next_visit":
        ahead = _ahead(row, now)
        return any(each.at == ahead[0].at and picked(each) for each in ahead)
    kept = [each for each in row.appointments if each.status in ("checked_in", "scheduled")]
    return any(picked(each) and in_range(each.on) for each in kept)


def _cents(words):
    whole, _, part = words.partition(".")
    return int(whole) * 100 + int((part + "00")[:2])


def _total_paid(row, value):
    total = sum(row.payments)
    return ("min" not in value or total >= _cents(value["min"])) and (
        "max" not in value or total <= _cents(value["max"])
    )


def _diagnosed(row, value):
    beginnings = [each.replace(".", "").upper() for each in value.get("beginnings", [])]
    return any(
        (pk in value.get("codes", []) or any(code.replace(".", "").upper().startswith(each) for each in beginnings))
        and (value["which"] == "ever" or is_active)
        for pk, code, is_active in row.diagnoses
    )


def _patient_or_case(row, value, column, picks, today):
    cases = [case for case in row.cases if value["which"] == "any" or _open(case, today)]
    return bool({row.own[column], *(getattr(case, column) for case in cases)} & set(value[picks]))


def _phase(row, today, now):
    ahead, been = bool(_ahead(row, now)), any(each.status == "checked_in" for each in row.appointments)
    if ahead and not been:
        return "pending"
    if ahead or row.own["care_package"] or any(_open(case, today) for case in row.cases):
        return "in_care"
    return "none"


def _birthday(row, value, today):
    if row.birth_date is None:
        return False
    following = (today.replace(day=28) + dt.timedelta(days=4)).month
    months = {"this": today.month, "next": following}
    return row.birth_date.month in [months.get(each) or int(each) for each in value["months"]]


def _reachable(row, value):
    if row.reason == "deceased":
        return False
    by = {}
    for channel, address in (("text", row.cell), ("email", row.email)):
        by[channel] = False
        if address:
            validity, everything, announcements, appointments = row.points[channel]
            category = announcements if value["category"] == "announcement" else appointments
            by[channel] = validity in ("unknown", "ok") and not everything and not category
    by |= {"either": by["text"] or by["email"], "both": by["text"] and by["email"]}
    return by[value["by"]]


def _household(row, value):
    others = [each for each in row.everyone if each is not row and each.status == "active"]
    phone = row.cell != "" and any(each.cell == row.cell for each in others)
    mail = row.email != "" and any(each.email == row.email for each in others)
    return {"text": phone, "email": mail, "either": phone or mail}[value["what"]]


def _of_campaigns(row, value):
    return [
        each for each in row.messages if each.campaign and each.campaign in (value.get("campaigns") or [each.campaign])
    ]


def _received(row, value, in_range, tz):
    got = [each for each in _of_campaigns(row, value) if each.state in ("sent", "delivered", "unknown")]
    return any(in_range(each.armed.astimezone(tz).date()) for each in got)


def _replied(row, value, in_range, tz):
    longest = dt.timedelta(days=value.get("days", 10**6))
    return any(
        each.replied and in_range(each.replied.astimezone(tz).date()) and each.replied - each.armed <= longest
        for each in _of_campaigns(row, value)
    )


def charts(lies_in):
    """The references by key; `lies_in(date, value, today)` says whether a date lies in a range."""

    def within(value, today):
        return lambda date: value["range"] == "ever" or lies_in(date, value, today)

    def purpose(row, value, today, now, tz):
        in_range = within(value, today) if value["which"] == "appointment" else None
        return _of_appointment(row, value["which"], lambda each: each.purpose in value["purposes"], in_range, now)

    def provider(row, value, today, now, tz):
        if value["which"] == "primary":
            return row.own["primary_provider"] in value["providers"]
        in_range = within(value, today) if value["which"] == "appointment" else None
        return _of_appointment(row, value["which"], lambda each: each.provider in value["providers"], in_range, now)

    def visit_count(row, value, today, now, tz):
        n = sum(each.status == "checked_in" for each in row.appointments)
        return {"exactly": n == value["visits"], "at_least": n >= value["visits"], "at_most": n <= value["visits"]}[
            value["compare"]
        ]

    def insurer(row, value, today, now, tz):
        return any(
            pk in value["insurers"]
            and (value["which"] == "ever" or (is_active and (ends_on is None or ends_on >= today)))
            for pk, is_active, ends_on in row.covers
        )

    def case_type(row, value, today, now, tz):
        return any(
            case.case_type in value["types"] and (value["which"] == "any" or _open(case, today)) for case in row.cases
        )

    return {
        "has_future_appointment": lambda row, value, today, now, tz: _has_future(row, value, now),
        "purpose": purpose,
        "provider": provider,
        "visit_count": visit_count,
        "service": lambda row, value, today, now, tz: any(
            code in value["codes"] and within(value, today)(day) for code, day in row.services
        ),
        "diagnosis": lambda row, value, today, now, tz: _diagnosed(row, value),
        "case_type": case_type,
        "attorney": lambda row, value, today, now, tz: _patient_or_case(row, value, "attorney", "attorneys", today),
        "care_package": lambda row, value, today, now, tz: _patient_or_case(
            row, value, "care_package", "packages", today
        ),
        "fee_schedule": lambda row, value, today, now, tz: _patient_or_case(
            row, value, "fee_schedule", "schedules", today
        ),
        "care_phase": lambda row, value, today, now, tz: _phase(row, today, now) in value["phases"],
        "insurer": insurer,
        "total_paid": lambda row, value, today, now, tz: _total_paid(row, value),
        "birthday_month": lambda row, value, today, now, tz: _birthday(row, value, today),
        "referral_source": lambda row, value, today, now, tz: row.own["referral_source"] in value["sources"],
        "city": lambda row, value, today, now, tz: row.city.lower() in [each.lower() for each in value["cities"]],
        "state": lambda row, value, today, now, tz: row.state in value["states"],
        "zip": lambda row, value, today, now, tz: any(row.zip.startswith(each) for each in value["zips"]),
        "reachable": lambda row, value, today, now, tz: _reachable(row, value),
        "household": lambda row, value, today, now, tz: _household(row, value),
        "received": lambda row, value, today, now, tz: _received(row, value, within(value, today), tz),
        "replied": lambda row, value, today, now, tz: _replied(row, value, within(value, today), tz),
    }
