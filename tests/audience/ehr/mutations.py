"""Exports as they should not be: one way of damage each, by a seeded dice.

An export is its files by name. A way of damage takes the dice and the export and answers with the damaged one.
"""

import gzip
import json
import random
from collections.abc import Callable

from tests.audience.ehr.exports import (
    CPT,
    appointment,
    benefit,
    claim,
    code,
    condition,
    coverage,
    deleted,
    encounter,
    episode,
    own,
    patient,
)

type Files = dict[str, bytes]
type Damage = Callable[[random.Random, Files], Files]

# Stands in names, addresses and phones, and must never stand in a reason.
SECRET = "Quillfeather"
NASTY = [
    "", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "x" * 10_000, "é" * 300_000, "🦴" * 61, "\u202e\u200b\ufeff",
    "'; DROP TABLE audience_patient; --", "%s %(practice)s {0} \\", "null", "NaN", "1e400", "-1", "0", "true", "[]",
    f"{'m' * 64}@{'d' * 60}.{'d' * 60}.{'d' * 60}.{'d' * 60}.com", f"{'m' * 250}@mail.example", "ana@", "@", "a@b",
    "+999999999999999999", "555-0100 x" + "1" * 300, "911", "0000-00-00", "0000-01-01T00:00:00Z", "9999-12-31",
    "9999-12-31T23:59:59.999999999-14:00", "0001-01-01T00:00:00+14:00", "2026-02-30", "2026-10-25T24:00:00Z",
    "2026-13", "20261005", "2026-W41-1", "12/31/1984", "1984-03-12T", "Patient/", "Patient/" + "9" * 300, "urn:uuid:",
    "urn:" + "x" * 500, "#", "?", "Patient?identifier=|", "Patient?identifier=%ff|%00", "http://[", "/", "//" * 5_000,
    "M545" + "X" * 80, "USD", "EUR", "entered-in-error", "unknown", "DELETE",
]  # fmt: skip
OTHERS = [
    None, True, False, 0, -1, 3, 1.5, 10**30, -(10**400), 1e308, [], [None], [[]], [[[]]], {}, {"": None}, [{}],
    {"reference": 7}, {"coding": "x"}, {"value": "much"}, {"value": 10**40}, [{"use": 3}],
]  # fmt: skip


def whole(prefix: str) -> Files:
    """An undamaged export of two patients with everything that is read; its ids, phones and choices are its own."""
    number = int(prefix.strip("mx-")) if prefix.strip("mx-").isdigit() else 0
    lines: list[dict] = [
        {"resourceType": "Practitioner", "id": f"{prefix}dr", "name": [{"family": "Okafor", "prefix": ["Dr."]}],
         "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": f"{prefix}npi"}]},
        {"resourceType": "PractitionerRole", "id": f"{prefix}role",
         "practitioner": {"reference": f"Practitioner/{prefix}dr"}},
        {"resourceType": "Location", "id": f"{prefix}room", "name": f"{prefix} office"},
        {"resourceType": "Organization", "id": f"{prefix}aetna", "name": f"{prefix} Aetna"},
        {"resourceType": "Slot", "id": f"{prefix}slot"},
    ]  # fmt: skip
    for n in range(2):
        of, me = f"{prefix}p{n}", f"Patient/{prefix}p{n}"
        lines += [
            patient(
                of,
                identifier=[{"system": "http://mrn.example", "value": f"{of}-mrn"}],
                name=[{"use": "official", "family": f"{SECRET}-{n}", "given": ["Ana", "Q."]}],
                telecom=[
                    {"system": "phone", "use": "mobile", "value": f"617-{200 + number // 10:03}-{number % 10}{n}00"},
                    {"system": "email", "value": f"{SECRET}.{of}@mailbox.example"},
                ],
                address=[{"line": [f"5 {SECRET} Street"], "city": "Boston", "state": "MA", "postalCode": "02118"}],
                extension=[own("attorney", "Ruiz & Lee"), own("care-package", "Twelve visits")],
                generalPractitioner=[{"reference": f"Practitioner/{prefix}dr"}],
            ),
            episode(f"{of}k", me, diagnosis=[{"condition": {"reference": f"Condition/{of}c"}}]),
            condition(f"{of}c", me, "active", "M54.5"),
            coverage(f"{of}v", me, payor=[{"reference": f"Organization/{prefix}aetna"}]),
            appointment(f"{of}a", participant=[
                {"actor": {"reference": me}},
                {"actor": {"reference": f"PractitionerRole/{prefix}role"}},
                {"actor": {"reference": f"Location/{prefix}room"}},
            ]),
            appointment(f"{of}b", me, "booked", "2030-01-07T15:00:00-05:00", minutesDuration=15),
            encounter(f"{of}e", me, appointment=[{"reference": f"Appointment/{of}a"}],
                      episodeOfCare=[{"reference": f"EpisodeOfCare/{of}k"}]),
            claim(f"{of}l", me, ("98940", "97110"), insurer={"reference": f"Organization/{prefix}aetna"}),
            benefit(f"{of}x", me, 40.5, claim={"reference": f"Claim/{of}l"},
                    total=[{"category": code("", "paidbypatient"), "amount": {"value": 12.25}}]),
            {"resourceType": "Procedure", "id": f"{of}d", "status": "completed", "subject": {"reference": me},
             "code": code(CPT, "97140"), "performedDateTime": "2026-10-05T10:00:00-04:00"},
            {"resourceType": "ChargeItem", "id": f"{of}g", "status": "billed", "subject": {"reference": me},
             "code": code(CPT, "99213"), "occurrenceDateTime": "2026-10-05"},
            {"resourceType": "Invoice", "id": f"{of}i", "status": "balanced", "subject": {"reference": me},
             "date": "2026-10-06", "totalGross": {"value": 65, "currency": "USD"}},
            {"resourceType": "PaymentNotice", "id": f"{of}n", "status": "active", "amount": {"value": 10},
             "request": {"reference": f"Claim/{of}l"}, "paymentDate": "2026-10-30"},
            {"resourceType": "Account", "id": f"{of}t", "status": "active", "type": {"text": "Wellness"},
             "subject": [{"reference": me}]},
        ]  # fmt: skip
    lines.append(deleted(f"Appointment/{prefix}p9a", f"Patient/{prefix}p9"))
    encoded = [json.dumps(line).encode() for line in lines]
    return {
        "a.ndjson": b"\n".join(encoded[0::3]) + b"\n",
        "b.ndjson.gz": gzip.compress(b"\n".join(encoded[1::3]) + b"\n", 1, mtime=0),
        "c.json": json.dumps({"resourceType": "Bundle", "entry": [{"resource": one} for one in lines[2::3]]}).encode(),
    }


def damage(dice: random.Random, files: Files) -> tuple[str, Files]:
    """One way, drawn; its name and what it left."""
    way = dice.choice(WAYS)
    return way.__name__, way(dice, files)


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def _like(before: bytes, body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0) if before.startswith(b"\x1f\x8b") else body


def _of_a_file(change: Callable[[random.Random, bytes], bytes]) -> Damage:
    """The contents of one file, unpacked and packed again where it was packed."""

    def way(dice: random.Random, files: Files) -> Files:
        name = dice.choice(sorted(files))
        return files | {name: _like(files[name], change(dice, _plain(files[name])))}

    way.__name__ = change.__name__
    return way


def _of_a_line(change: Callable[[random.Random, bytes], bytes]) -> Damage:
    """A few lines of one file; a line break in what comes back makes it several."""

    def changed(dice: random.Random, body: bytes) -> bytes:
        lines = body.split(b"\n")
        for _ in range(3):
            number = dice.randrange(len(lines))
            if lines[number]:
                lines[number] = change(dice, lines[number])
        return b"\n".join(lines)

    changed.__name__ = change.__name__
    return _of_a_file(changed)


def _of_a_node(change: Callable[[random.Random, object, dict | list, object], None], most: int = 1) -> Damage:
    """Up to `most` values somewhere in a few records: `change` gets the value, what it stands in and where there."""

    def changed(dice: random.Random, line: bytes) -> bytes:
        try:
            record = json.loads(line)
        except ValueError:
            return line
        for _ in range(dice.randint(1, most)):
            if isinstance(record, dict | list) and (nodes := list(_nodes(record))):
                change(dice, *dice.choice(nodes))
        return json.dumps(record).encode()

    changed.__name__ = change.__name__
    return _of_a_line(changed)


def _nodes(of):
    for key, value in list(of.items() if isinstance(of, dict) else enumerate(of)):
        yield value, of, key
        if isinstance(value, dict | list):
            yield from _nodes(value)


def _another_type(dice, value, within, key):
    within[key] = dice.choice(OTHERS)


def _nasty_text(dice, value, within, key):
    # Not the type: that would refuse the record before anything else of it is looked at.
    if isinstance(value, str) and key != "resourceType":
        within[key] = dice.choice(NASTY)


def _number_as_text(dice, value, within, key):
    within[key] = str(value) if not isinstance(value, str) else len(value)


def _list_for_object(dice, value, within, key):
    within[key] = [value] if not isinstance(value, list) else {"0": value}


def _missing(dice, value, within, key):
    del within[key]


def _moved_elsewhere(dice, value, within, key):
    within[key] = {"reference": dice.choice(["Patient/nobody", "Location/1", "#inside", "Claim/7", "Patient/ /x"])}


def _said_many_times(dice, value, within, key):
    within[key] = [value] * dice.choice((2, 50))


def _cut(dice, line):
    return line[: dice.randrange(len(line))]


def _bytes_that_are_no_text(dice, line):
    at = dice.randrange(len(line))
    return line[:at] + dice.choice([b"\xff", b"\x00", b"\xed\xa0\x80", b"\xc3", b"\x1b[2J", b"\r", b"\n"]) + line[at:]


def _huge_number(dice, line):
    return line.replace(b'"status"', dice.choice([b'"total":1e400,', b'"rank":1e999999999,', b'"x":00,']) + b'"status"')


def _key_twice(dice, line):
    twice = dice.choice([b'"id":"other",', b'"resourceType":"Appointment",', b'"status":null,', b'"subject":[],'])
    return line.replace(b'{"resourceType"', b"{" + twice + b'"resourceType"').replace(b"}", b"," + twice[:-1] + b"}", 1)


def _deep(dice, line):
    depth, sign = dice.choice((100, 2_000, 50_000)), dice.choice((b"[]", b"{}"))
    inside = b"[" * depth + b"]" * depth if sign == b"[]" else b'{"a":' * depth + b"1" + b"}" * depth
    return line.replace(b'{"resourceType"', b'{"text":' + inside + b',"resourceType"')


def _same_id_other_words(dice, line):
    return line + b"\n" + line.replace(b"2026-10", b"2025-09").replace(b"active", b"finished").replace(b"Ana", b"Bea")


def _two_on_a_line(dice, line):
    return line + dice.choice([b"", b",", b" ", b"\t#"]) + line


def _replace_each_other(dice, line):
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if record.get("resourceType") != "Patient":
        return line
    other = record["id"][:-1] + dice.choice("0123456789")
    link = [{"type": dice.choice(["replaced-by", "replaces"]), "other": {"reference": f"Patient/{id}"}}
            for id in (other, record["id"], "nobody")]  # fmt: skip
    back = record | {
        "id": other,
        "link": [{"type": link[0]["type"], "other": {"reference": f"Patient/{record['id']}"}}],
    }
    return json.dumps(record | {"link": link}).encode() + b"\n" + json.dumps(back).encode()


def _cut_file(dice, body):
    return body[: dice.randrange(len(body))]


def _other_encoding(dice, body):
    return body.decode("latin-1").encode(dice.choice(["utf-16", "utf-32", "utf-16-le", "cp037"]))


def _marks(dice, body):
    return b"\n".join(dice.choice([b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf", b"\xff\xfe"]) + line
                      for line in body.split(b"\n"))  # fmt: skip


def _line_ends(dice, body):
    return body.replace(b"\n", dice.choice([b"\r\n", b"\r", b"\n\n\n", b"\n\x00\n", b"\x1e"]))


def _shuffled(dice, body):
    lines = body.split(b"\n")
    dice.shuffle(lines)
    return b"\n".join(lines)


def _long_line(dice, body):
    """As long as was announced, without an end."""
    return body[: dice.randrange(len(body))] + dice.choice([b" ", b"9", b'"', b"\x00"]) * dice.choice(
        (70_000, 6_000_000)
    )


def _cut_pack(dice: random.Random, files: Files) -> Files:
    body = files["b.ndjson.gz"]
    return files | {"b.ndjson.gz": body[: dice.randrange(len(body))]}


def _broken_pack(dice: random.Random, files: Files) -> Files:
    body = bytearray(files["b.ndjson.gz"])
    body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)
    return files | {"b.ndjson.gz": bytes(body) + dice.choice([b"", b"\x1f\x8b", b"garbage", b"\x00" * 600])}


def _bomb(dice: random.Random, files: Files) -> Files:
    """A few kB that become 8 MB: one line, lines of nothing, or a document."""
    inside = dice.choice([b"0" * 8_000_000, b"[]\n" * 2_500_000, b"\n" * 8_000_000, b"[" + b"0," * 4_000_000])
    return files | {dice.choice(["z.ndjson.gz", "z.json"]): gzip.compress(inside, 9, mtime=0)}


def _odd_files(dice: random.Random, files: Files) -> Files:
    return files | {
        "empty.ndjson": b"",
        "half\udcff.ndjson": b'{"resourceType":"Slot","id":"s"}\n',
        "null.json": b"null",
        "n" * 200 + ".json": b'"text"',
        "nested.json": b'{"resourceType":"Bundle","entry":[' * 400 + b"]}" * 400,
        "numbers.json": b"[1, null, [], {}, [[1]]]",
        "bundle.json": b'{"resourceType":"Bundle","entry":[{"request":{"method":"DELETE","url":"x"}},{"resource":5}]}',
    }


WAYS: list[Damage] = [
    *(_of_a_node(_nasty_text, most) for most in (5, 10, 20, 40)),
    *(_of_a_node(change, 3) for change in (
        _another_type, _another_type, _number_as_text, _list_for_object, _missing, _moved_elsewhere, _said_many_times,
    )),
    *(_of_a_line(change) for change in (
        _cut, _bytes_that_are_no_text, _huge_number, _key_twice, _deep, _same_id_other_words, _two_on_a_line,
        _replace_each_other,
    )),
    *(_of_a_file(change) for change in (_cut_file, _other_encoding, _marks, _line_ends, _shuffled, _long_line)),
    _cut_pack, _broken_pack, _bomb, _odd_files,
]  # fmt: skip
