"""The frame of the sandbox's own pages, and the small pieces they share. Every value goes through `e`."""

from datetime import datetime
from html import escape
from urllib.parse import quote

from aiohttp import web

# No inline script or style anywhere; the emails' own HTML lives in a frame with a policy of its own.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)


def e(value: object) -> str:
    return escape(str(value), quote=True)


def path(*parts: str) -> str:
    return e("/sandbox/" + "/".join(quote(part, safe="@") for part in parts))


def when(at: datetime) -> str:
    """UTC for those without script; `sandbox.js` rewrites it to the reader's own zone."""
    return f'<time datetime="{e(at.isoformat())}">{at:%a %-d %b, %-I:%M %p} UTC</time>'


def phone(number: str) -> str:
    """(617) 555-0134, or the number as it is."""
    if number.startswith("+1") and len(number) == 12:
        return f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    return number


def state(kind: str, word: str) -> str:
    """A state is always an icon and a word: kind is good, bad, wait or quiet."""
    icon = {"good": "✓", "bad": "!", "wait": "…", "quiet": "–"}[kind]
    return f'<span class="state {kind}"><span aria-hidden="true">{icon}</span> {e(word)}</span>'


def empty(title: str, hint: str) -> str:
    return f'<div class="empty"><p><strong>{e(title)}</strong></p><p>{e(hint)}</p></div>'


def page(title: str, main: str, *, query: str = "", status: int = 200, said: str = "") -> web.Response:
    notice = f'<p class="notice" role="status">{e(said)}</p>' if said else ""
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{e(title)} · Sandbox</title>
<link rel="stylesheet" href="/sandbox/static/sandbox.css">
<link rel="icon" href="data:,">
<script src="/sandbox/static/sandbox.js" defer></script>
<noscript><meta http-equiv="refresh" content="10"></noscript>
</head>
<body>
<header class="top">
<a class="brand" href="/sandbox/">Sandbox</a>
<span class="purpose">What your patients get. Nothing here leaves this machine.</span>
<form class="search" role="search" action="/sandbox/" method="get">
<label class="hidden" for="q">Search phones and mailboxes</label>
<input id="q" name="q" type="search" value="{e(query)}" autocomplete="off" placeholder="Number, address or words">
<button>Search</button>
</form>
</header>
<main>
{notice}
{main}
</main>
</body>
</html>
"""
    return web.Response(
        text=html,
        status=status,
        content_type="text/html",
        headers={"Content-Security-Policy": _POLICY, "Referrer-Policy": "same-origin", "Cache-Control": "no-store"},
    )
