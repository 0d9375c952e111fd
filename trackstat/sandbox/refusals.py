"""Twilio's refusals: code, HTTP status and words, as its API answers them."""

import msgspec
from aiohttp import web

_WORDS = {
    20001: (400, "{detail}"),
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource {detail} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    20503: (503, "Service Unavailable"),
    21211: (400, "Invalid 'To' Phone Number: {detail}"),
    21212: (400, "Invalid 'From' Number: {detail}"),
    21408: (
        400,
        "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {detail}",
    ),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (
        400,
        "The 'From' phone number provided ({detail}) is not a valid message-capable Twilio phone number "
        "for this destination/account",
    ),
    21609: (400, "The StatusCallback URL {detail} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number has exceeded the maximum number of queued messages"),
    21612: (400, "Message cannot be sent with the current combination of 'To' ({detail}) and/or 'From' parameters"),
    21614: (400, "'To' number is not a valid mobile number: {detail}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21701: (400, "The Messaging Service does not exist."),
    21703: (400, "The Messaging Service contains no phone numbers."),
}


class Refusal(Exception):
    """Raised where the rule is; answered as JSON by `answer`."""

    def __init__(self, code: int, detail: str = ""):
        self.code = code
        self.http, words = _WORDS[code]
        self.message = words.format(detail=detail)
        super().__init__(self.message)

    def answer(self, headers: dict[str, str] | None = None) -> web.Response:
        body = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.http,
        }
        response = web.Response(
            body=msgspec.json.encode(body), status=self.http, content_type="application/json", headers=headers
        )
        if self.code == 20003:
            response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
        return response
