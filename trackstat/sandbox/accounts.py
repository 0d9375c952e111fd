"""Who may use the sandbox: Twilio accounts with numbers and services, Mailgun domains; kept in `accounts.json`."""

import base64
import hmac
import os
import re
import zlib
from pathlib import Path

import msgspec

_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_SERVICE_SID = re.compile(r"MG[0-9a-fA-F]{32}")
_E164 = re.compile(r"\+[1-9]\d{7,14}")


class Account(msgspec.Struct, forbid_unknown_fields=True):
    """`opt_out_handling`: advanced (blocks, answers, OptOutType in the webhook), default (blocks only), off."""

    sid: str
    token: str
    sms_url: str = ""
    numbers: list[str] = []
    services: dict[str, list[str]] = {}
    opt_out_handling: str = "default"
    friendly_name: str = ""

    def service_of(self, number: str) -> str | None:
        return next((sid for sid, numbers in self.services.items() if number in numbers), None)

    def owns(self, number: str) -> bool:
        return number in self.numbers or self.service_of(number) is not None

    def scope(self, sender: str | None, service: str | None) -> str:
        """What a STOP blocks: the whole service, or one number outside of any."""
        return service or (self.service_of(sender) if sender else None) or sender or ""

    def sticky_sender(self, service: str | None, to: str) -> str | None:
        """The service's number for this patient, always the same one."""
        pool = self.services.get(service or "", [])
        return pool[zlib.crc32(to.encode()) % len(pool)] if pool else None

    def all_numbers(self) -> list[str]:
        return list(dict.fromkeys([*self.numbers, *(n for numbers in self.services.values() for n in numbers)]))


class Domain(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    api_key: str
    signing_key: str
    tracking_url: str = ""


class _Book(msgspec.Struct):
    accounts: dict[str, Account] = {}
    domains: dict[str, Domain] = {}
    clock_offset_seconds: float = 0


class Accounts:
    def __init__(self, path: Path):
        self._path = path
        self._book = msgspec.json.decode(path.read_bytes(), type=_Book) if path.exists() else _Book()

    @property
    def accounts(self) -> dict[str, Account]:
        return self._book.accounts

    @property
    def domains(self) -> dict[str, Domain]:
        return self._book.domains

    @property
    def clock_offset_seconds(self) -> float:
        return self._book.clock_offset_seconds

    def remember_clock(self, offset_seconds: float) -> None:
        self._book.clock_offset_seconds = offset_seconds
        self._save()

    def put_account(self, sid: str, said: dict) -> Account:
        """Raises ValueError with a sentence."""
        said = dict(said)
        if "advanced_opt_out" in said:
            said["opt_out_handling"] = "advanced" if said.pop("advanced_opt_out") else "default"
        try:
            account = msgspec.convert({**said, "sid": sid}, type=Account)
        except msgspec.ValidationError as wrong:
            raise ValueError(str(wrong)) from wrong
        if not _ACCOUNT_SID.fullmatch(sid):
            raise ValueError("an account sid is AC and 32 hexadecimal digits")
        if not all(_SERVICE_SID.fullmatch(service) for service in account.services):
            raise ValueError("a service sid is MG and 32 hexadecimal digits")
        if not all(_E164.fullmatch(number) for number in account.all_numbers()):
            raise ValueError("numbers are given as E.164, +16175550100")
        if not account.token:
            raise ValueError("an account has a token")
        if account.opt_out_handling not in ("advanced", "default", "off"):
            raise ValueError("opt_out_handling is advanced, default or off")
        taken = {n for other in self.accounts.values() if other.sid != sid for n in other.all_numbers()}
        if both := taken.intersection(account.all_numbers()):
            raise ValueError(f"another account has {', '.join(sorted(both))}")
        self.accounts[sid] = account
        self._save()
        return account

    def put_domain(self, name: str, said: dict) -> Domain:
        """Raises ValueError with a sentence."""
        try:
            domain = msgspec.convert({**said, "name": name.lower()}, type=Domain)
        except msgspec.ValidationError as wrong:
            raise ValueError(str(wrong)) from wrong
        self.domains[domain.name] = domain
        self._save()
        return domain

    def signed_in(self, authorization: str | None) -> Account | None:
        """The account whose sid and token the Basic header carries."""
        user, secret = basic(authorization)
        account = self.accounts.get(user)
        if account and hmac.compare_digest(secret.encode(), account.token.encode()):
            return account
        return None

    def owner_of(self, number: str) -> Account | None:
        return next((account for account in self.accounts.values() if account.owns(number)), None)

    def _save(self) -> None:
        draft = self._path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(self._book)))
        os.replace(draft, self._path)


def basic(authorization: str | None) -> tuple[str, str]:
    """User and password of a Basic header; empty where there is none to read."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password
