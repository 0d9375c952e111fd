"""A FHIR server as EHRs have them: SMART Backend Services, Bulk Data `$export`, searches by `_lastUpdated` with pages.

Each EHR is at `/ehr/{name}/fhir`. Nothing more of FHIR is there than what fetching patients needs.
"""

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import msgspec
from aiohttp import web

from trackstat.sandbox.clock import Clock
from trackstat.sandbox.ehr_exports import Export, ExportFile, Exports
from trackstat.sandbox.ehr_records import Record, records
from trackstat.sandbox.ehr_tokens import ALGORITHMS, NotSignedIn, Token, Tokens
from trackstat.sandbox.ehrs import Ehr, Ehrs
from trackstat.sandbox.faults import Faults, Rule
from trackstat.sandbox.ledger import Ledger
from trackstat.sandbox.requests import reset

_FHIR = "application/fhir+json"
_NDJSON = "application/fhir+ndjson"
_COMPARE = {"gt": "__gt__", "ge": "__ge__", "lt": "__lt__", "le": "__le__"}
# Searches whose pages may still be asked for.
_SEARCHES = 200


class Wrong(Exception):
    """An OperationOutcome: HTTP status, FHIR's code and a sentence."""

    def __init__(self, status: int, code: str, words: str):
        self.status, self.code, self.words = status, code, words
        super().__init__(words)


@dataclass
class EhrApi:
    clock: Clock
    ehrs: Ehrs
    exports: Exports
    faults: Faults
    ledger: Ledger
    session: aiohttp.ClientSession
    tokens: Tokens = field(default_factory=Tokens)
    _searches: dict[str, list[Record]] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        base = "/ehr/{ehr}/fhir"
        return [
            web.get(f"{base}/.well-known/smart-configuration", self._guarded(self.configuration)),
            web.post("/ehr/{ehr}/token", self._guarded(self.token)),
            web.get(f"{base}/$export", self._guarded(self.begin)),
            web.get(f"{base}/Patient/$export", self._guarded(self.begin)),
            web.get(f"{base}/Group/{{group}}/$export", self._guarded(self.begin)),
            web.get("/ehr/{ehr}/exports/{export}", self._guarded(self.status)),
            web.delete("/ehr/{ehr}/exports/{export}", self._guarded(self.drop)),
            web.get("/ehr/{ehr}/files/{export}/{file}", self._guarded(self.file)),
            web.get(f"{base}/{{kind:[A-Z][A-Za-z]+}}", self._guarded(self.search)),
        ]

    def _guarded(self, handler):
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                ehr = self.ehrs.by_name.get(request.match_info["ehr"])
                if ehr is None:
                    raise Wrong(404, "not-found", "there is no such EHR")
                return await handler(request, ehr)
            except Wrong as wrong:
                return outcome(wrong.status, wrong.code, wrong.words)

        return answer

    async def configuration(self, request: web.Request, ehr: Ehr) -> web.StreamResponse:
        return _json(
            {
                "token_endpoint": _url(request, ehr, "token"),
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
                "grant_types_supported": ["client_credentials"],
                "scopes_supported": sorted({scope for client in ehr.clients.values() for scope in client.scopes}),
                "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
            }
        )

    async def token(self, request: web.Request, ehr: Ehr) -> web.StreamResponse:
        _, faulty = await self._fault(request, "ehr.token", ehr)
        if faulty is not None:
            return faulty
        form = {key: str(value) for key, value in (await request.post()).items()}
        try:
            said = await self.tokens.sign_in(self.session, ehr, _url(request, ehr, "token"), form)
        except NotSignedIn as wrong:
            self.ledger.append("ehr.refused", ehr=ehr.name, why=wrong.description)
            return _json({"error": wrong.error, "error_description": wrong.description}, status=400)
        self.ledger.append("ehr.token", ehr=ehr.name, scope=said["scope"])
        return _json(said, headers={"Cache-Control": "no-store"})

    async def begin(self, request: web.Request, ehr: Ehr) -> web.StreamResponse:
        token = self._token(request, ehr)
        _, faulty = await self._fault(request, "ehr.export", ehr, token)
        if faulty is not None:
            return faulty
        if "respond-async" not in request.headers.get("Prefer", ""):
            raise Wrong(400, "required", "Prefer: respond-async is needed")
        group = request.match_info.get("group")
        if group is not None and group not in ehr.groups:
            raise Wrong(404, "not-found", "there is no such group")
        asked = set(filter(None, request.query.get("_type", "").split(",")))
        if not asked or not all(token.may_read(kind) for kind in asked):
            raise Wrong(403, "forbidden", "a type in _type is not granted")
        since = _moment(request.query["_since"]) if "_since" in request.query else None
        at = self.clock.now()
        export = await asyncio.to_thread(self.exports.make, ehr, token.client, str(request.url), asked, since, at)
        self.ledger.append("ehr.export", ehr=ehr.name, export=export.id, types=sorted(asked), since=_text(since))
        return web.Response(status=202, headers={"Content-Location": _url(request, ehr, f"exports/{export.id}")})

    async def status(self, request: web.Request, ehr: Ehr) -> web.StreamResponse:
        token = self._token(request, ehr)
        rule, faulty = await self._fault(request, "ehr.status", ehr, token)
        if faulty is not None:
            return faulty
        export = self._export(request, ehr)
        if rule and rule.action == "gone":
            self.exports.drop(export)
            export = self._export(request, ehr)
        if export.looks < ehr.polls:
            now = asyncio.get_running_loop().time()
            if export.asked_at and now < export.asked_at + ehr.retry_after * 0.9:
                return outcome(429, "throttled", "asked too soon", {"Retry-After": str(ehr.retry_after)})
            export.looks, export.asked_at = export.looks + 1, now
            share = 100 * export.looks // (ehr.polls + 1)
            headers = {"X-Progress": f"{share}% done", "Retry-After": str(ehr.retry_after)}
            return web.Response(status=202, headers=headers)
        return _json(self._manifest(request, ehr, export, failing=bool(rule and rule.action == "error")))

    async def drop(self, request: web.Request, ehr: Ehr) -> web.StreamResponse:
        self._token(request, ehr)
        export = self._export(request, ehr)
        self.exports.drop(export)
        self.ledger.append("ehr.dropped", ehr=ehr.name, export=export.id)
        return web.Response(status=202)

    async def file(self, request: web.Request, ehr: Ehr) -> web.StreamResponse:
        token = self._token(request, ehr)
        export_id, name = request.match_info["export"], request.match_info["file"]
        rule, faulty = await self._fault(request, "ehr.file", ehr, token, name)
        if faulty is not None:
            return faulty
        ends = request.query.get("until", ""), request.query.get("signature", "")
        export = self.exports.by_id.get(export_id)
        if (rule and rule.action == "expired_link") or not export or not self.exports.opens(export_id, name, *ends):
            raise Wrong(403, "expired", "this link has expired")
        path = export.folder / name
        self.ledger.append("ehr.file", ehr=ehr.name, export=export.id, file=name)
        if rule and rule.action in ("cut", "cut_silently"):
            return await _cut(request, path, told=rule.action == "cut_silently")
        return web.FileResponse(path, headers={"Content-Type": _NDJSON})

    async def search(self, request: web.Request, ehr: Ehr) -> web.StreamResponse:
        token = self._token(request, ehr)
        kind = request.match_info["kind"]
        if not token.may_read(kind):
            raise Wrong(403, "forbidden", f"{kind} is not granted")
        _, faulty = await self._fault(request, "ehr.search", ehr, token, kind)
        if faulty is not None:
            return faulty
        count = request.query.get("_count", "")
        size = min(int(count) if count.isdigit() and int(count) else ehr.page, ehr.page)
        handle, start = request.query.get("_search", ""), int(request.query.get("_start", "0"))
        if handle and handle not in self._searches:
            raise Wrong(410, "expired", "the pages of this search are not there any more")
        if not handle:
            handle, start = secrets.token_hex(8), 0
            self._searches[handle] = await asyncio.to_thread(
                _found, ehr, kind, request.query.getall("_lastUpdated", [])
            )
            while len(self._searches) > _SEARCHES:
                del self._searches[next(iter(self._searches))]
        found = self._searches[handle]
        here = _url(request, ehr, f"fhir/{kind}")
        self.ledger.append("ehr.search", ehr=ehr.name, type=kind, query=request.query_string, start=start)
        links = [{"relation": "self", "url": str(request.url)}]
        if start + size < len(found):
            query = urlencode({"_search": handle, "_start": start + size, "_count": size})
            links.append({"relation": "next", "url": f"{here}?{query}"})
        return _json(
            {
                "resourceType": "Bundle",
                "type": "searchset",
                "meta": {"lastUpdated": _text(self.clock.now())},
                "total": len(found),
                "link": links,
                "entry": [
                    {
                        "fullUrl": f"{here}/{record.id}",
                        "resource": msgspec.Raw(record.body),
                        "search": {"mode": "match"},
                    }
                    for record in found[start : start + size]
                ],
            },
            kind=_FHIR,
        )

    def _token(self, request: web.Request, ehr: Ehr) -> Token:
        token = self.tokens.bearer(ehr, request.headers.get("Authorization"))
        if token is None:
            raise Wrong(401, "login", "sign in first")
        return token

    def _export(self, request: web.Request, ehr: Ehr) -> Export:
        export = self.exports.by_id.get(request.match_info["export"])
        if export is None or export.ehr != ehr.name:
            raise Wrong(404, "not-found", "there is no such export")
        return export

    def _manifest(self, request: web.Request, ehr: Ehr, export: Export, *, failing: bool) -> dict:
        def listed(files: list[ExportFile]) -> list[dict]:
            return [
                {
                    "type": file.kind,
                    "count": file.count,
                    "url": _url(request, ehr, f"files/{self.exports.link(export, file.name, ehr.link_seconds)}"),
                }
                for file in files
            ]

        errors = []
        if failing:
            errors.append(ExportFile("errors.ndjson", "OperationOutcome", 1))
            body = _outcome("exception", "a record could not be exported")
            (export.folder / errors[0].name).write_bytes(msgspec.json.encode(body) + b"\n")
        return {
            "transactionTime": _text(export.at),
            "request": export.request,
            "requiresAccessToken": True,
            "output": listed(export.output),
            "deleted": listed(export.deleted),
            "error": listed(errors),
        }

    async def _fault(
        self, request: web.Request, where: str, ehr: Ehr, token: Token | None = None, what: str = ""
    ) -> tuple[Rule | None, web.StreamResponse | None]:
        """The rule that acts, and the answer where the rule alone decides it."""
        subject = {"to": ehr.name, "from": token.client if token else "", "body": what}
        if latency := self.faults.latency(where, **subject):
            await asyncio.sleep(latency)
        rule = self.faults.pick(where, **subject)
        if rule is None:
            return None, None
        self.ledger.append("fault", where=where, action=rule.action, subject=ehr.name)
        match rule.action:
            case "429":
                return rule, outcome(429, "throttled", "too many requests", {"Retry-After": str(rule.retry_after)})
            case "500_before":
                return rule, outcome(rule.status, "exception", "something went wrong")
            case "reset_before":
                return rule, reset(request)
            case "stall_before":
                await asyncio.sleep(rule.seconds)
                return rule, reset(request)
            case "expired_token":
                self.tokens.take_back(request.headers.get("Authorization"))
                return rule, outcome(401, "expired", "the access token has expired")
        return rule, None


def outcome(status: int, code: str, words: str, headers: dict[str, str] | None = None) -> web.Response:
    return _json(_outcome(code, words), status=status, kind=_FHIR, headers=headers)


def _outcome(code: str, words: str) -> dict:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code, "diagnostics": words}]}


def _json(
    body: dict, status: int = 200, kind: str = "application/json", headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type=kind, headers=headers)


async def _cut(request: web.Request, path: Path, *, told: bool) -> web.StreamResponse:
    """Half of a file. Either the announced length tells, or (`told`: the answer ends in order) only what is in it."""
    whole = path.read_bytes()
    response = web.StreamResponse(headers={"Content-Type": _NDJSON, "Connection": "close"})
    if not told:
        response.content_length = len(whole)
    await response.prepare(request)
    await response.write(whole[: len(whole) // 2])
    if told:
        await response.write_eof()
    elif request.transport is not None:
        request.transport.close()
    return response


def _found(ehr: Ehr, kind: str, limits: list[str]) -> list[Record]:
    """Raises Wrong."""
    compares = []
    for limit in limits:
        if limit[:2] not in _COMPARE:
            raise Wrong(400, "invalid", "_lastUpdated begins with gt, ge, lt or le")
        compares.append((_COMPARE[limit[:2]], _moment(limit[2:])))
    return sorted(
        (
            record
            for record in records(ehr)
            if record.kind == kind and all(getattr(record.changed, how)(when) for how, when in compares)
        ),
        key=lambda record: (record.changed, record.id),
    )


def _moment(said: str) -> datetime:
    """Raises Wrong."""
    try:
        moment = datetime.fromisoformat(said)
    except ValueError as wrong:
        raise Wrong(400, "invalid", "a moment is written as 2026-11-21T15:00:00Z") from wrong
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def _url(request: web.Request, ehr: Ehr, rest: str) -> str:
    return f"{request.url.origin()}/ehr/{ehr.name}/{rest}"
