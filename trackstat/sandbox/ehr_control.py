"""The control API's part about EHRs."""

from dataclasses import dataclass

from aiohttp import web

from trackstat.sandbox.control_api import body_of, said
from trackstat.sandbox.ehrs import Ehr
from trackstat.sandbox.sandbox import Sandbox


@dataclass
class EhrControl:
    sandbox: Sandbox

    def routes(self) -> list[web.RouteDef]:
        api = "/sandbox/api/ehrs/{name}"
        return [
            web.put(api, self.put),
            web.get(api, self.get),
            web.post(f"{api}/deletions", self.delete),
        ]

    async def put(self, request: web.Request) -> web.Response:
        return _said(request, self.sandbox.ehrs.put(request.match_info["name"], await body_of(request)))

    async def get(self, request: web.Request) -> web.Response:
        ehr = self._known(request)
        exports = [export.id for export in self.sandbox.exports.by_id.values() if export.ehr == ehr.name]
        return _said(request, ehr, exports=exports)

    async def delete(self, request: web.Request) -> web.Response:
        ehr = self._known(request)
        references = (await body_of(request)).get("references")
        self.sandbox.ehrs.delete(ehr, references or [], self.sandbox.clock.now().isoformat())
        return _said(request, ehr)

    def _known(self, request: web.Request) -> Ehr:
        ehr = self.sandbox.ehrs.by_name.get(request.match_info["name"])
        if ehr is None:
            raise web.HTTPNotFound(text="no such EHR")
        return ehr


def _said(request: web.Request, ehr: Ehr, **more) -> web.Response:
    base = f"{request.url.origin()}/ehr/{ehr.name}/fhir"
    return said({"name": ehr.name, "base_url": base, "clients": sorted(ehr.clients), "deleted": ehr.deleted, **more})
