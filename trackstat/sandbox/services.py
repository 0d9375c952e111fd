"""Twilio's messaging services, to be read: what the product shows when a practice's texting line is connected."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from trackstat.sandbox.accounts import Account
from trackstat.sandbox.refusals import Refusal
from trackstat.sandbox.twilio_api import TwilioApi, answer

_BASE = "https://messaging.twilio.com/v1/Services"
_CREATED = datetime(2026, 1, 5, 9, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class ServicesApi:
    twilio: TwilioApi

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/Services", self.listing),
            web.get("/v1/Services/{service}", self.fetch),
            web.get("/v1/Services/{service}/PhoneNumbers", self.phone_numbers),
        ]

    async def listing(self, request: web.Request) -> web.Response:
        account = self.twilio.signed_in(request)
        return answer(_one_page(_BASE, "services", [_service(account, sid) for sid in account.services]))

    async def fetch(self, request: web.Request) -> web.Response:
        account, sid = self._known(request)
        return answer(_service(account, sid))

    async def phone_numbers(self, request: web.Request) -> web.Response:
        account, sid = self._known(request)
        entries = []
        for number in account.services[sid]:
            number_sid = "PN" + hashlib.md5(number.encode(), usedforsecurity=False).hexdigest()
            entries.append(
                {
                    "sid": number_sid,
                    "account_sid": account.sid,
                    "service_sid": sid,
                    "date_created": _CREATED,
                    "date_updated": _CREATED,
                    "phone_number": number,
                    "country_code": "US",
                    "capabilities": ["SMS"],
                    "url": f"{_BASE}/{sid}/PhoneNumbers/{number_sid}",
                }
            )
        return answer(_one_page(f"{_BASE}/{sid}/PhoneNumbers", "phone_numbers", entries))

    def _known(self, request: web.Request) -> tuple[Account, str]:
        account = self.twilio.signed_in(request)
        sid = request.match_info["service"]
        if sid not in account.services:
            raise Refusal(20404, request.path)
        return account, sid


def _service(account: Account, sid: str) -> dict:
    links = {
        "phone_numbers": f"{_BASE}/{sid}/PhoneNumbers",
        "short_codes": f"{_BASE}/{sid}/ShortCodes",
        "alpha_senders": f"{_BASE}/{sid}/AlphaSenders",
        "messages": f"{_BASE}/{sid}/Messages",
        "us_app_to_person": f"{_BASE}/{sid}/Compliance/Usa2p",
        "us_app_to_person_usecases": f"{_BASE}/{sid}/Compliance/Usa2p/Usecases",
        "channel_senders": f"{_BASE}/{sid}/ChannelSenders",
        "destination_alpha_senders": f"{_BASE}/{sid}/DestinationAlphaSenders",
    }
    return {
        "account_sid": account.sid,
        "sid": sid,
        "date_created": _CREATED,
        "date_updated": _CREATED,
        "friendly_name": account.friendly_name or sid,
        "inbound_request_url": account.sms_url or None,
        "inbound_method": "POST",
        "fallback_url": None,
        "fallback_method": "POST",
        "status_callback": None,
        "sticky_sender": True,
        "mms_converter": True,
        "smart_encoding": False,
        "fallback_to_long_code": False,
        "area_code_geomatch": False,
        "validity_period": 36000,
        "scan_message_content": "inherit",
        "synchronous_validation": False,
        "usecase": "notifications",
        "us_app_to_person_registered": True,
        "use_inbound_webhook_on_number": False,
        "links": links,
        "url": f"{_BASE}/{sid}",
    }


def _one_page(url: str, key: str, entries: list[dict]) -> dict:
    first = f"{url}?PageSize=50&Page=0"
    meta = {
        "page": 0,
        "page_size": 50,
        "first_page_url": first,
        "previous_page_url": None,
        "next_page_url": None,
        "key": key,
        "url": first,
    }
    return {"meta": meta, key: entries}
