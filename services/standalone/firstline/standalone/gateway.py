"""One public origin for all services: each path goes to the application that serves it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from firstline.common.telemetry import App, Receive, Scope, Send

PATHS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "intake": (
            "/v1/tickets",
            "/v1/attachments",
            "/v1/mails",
            "/v1/policy",
            "/v1/releases",
            "/v1/incidents",
            "/v1/banners",
            "/v1/reports/urgency-claims",
            "/v1/articles",
            "/v1/canned-answers",
            "/v1/partner-webhooks",
            "/v1/supervisor-requests",
        ),
        "queue": ("/v1/queue",),
        "sla": ("/v1/clocks", "/v1/calendar", "/v1/forecasts", "/v1/reports", "/v1/simulations"),
        "notify": ("/v1/webhook-endpoints", "/v1/deliveries", "/v1/events"),
        "accounts": (
            "/v1/people",
            "/v1/organizations",
            "/v1/licences",
            "/v1/api-keys",
            "/v1/sign-in",
            "/v1/sign-out",
            "/v1/tokens",
            "/v1/me",
            "/.well-known/jwks.json",
        ),
        "desk": ("/v1", "/healthz", "/readyz", "/metrics", "/openapi.json", "/problems"),
    }
)
"""The beginnings of the paths of each service; all other paths are the website's."""


class Gateway:
    """Routes by the first segments of the path: by three where there is such a line, else by two, else by one.

    Three look-ups in a table for each request, however many paths there are.
    """

    def __init__(self, apps: Mapping[str, App]) -> None:
        self._by_path = {path: apps[name] for name, paths in PATHS.items() for path in paths}
        self._web = apps["web"]
        self._desk = apps["desk"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to its service."""
        if scope["type"] != "http":
            await self._desk(scope, receive, send)
            return
        parts = scope["path"].split("/", 4)
        beginnings = ("/".join(parts[:count]) for count in (4, 3, 2))
        found = next((self._by_path[known] for known in beginnings if known in self._by_path), self._web)
        await found(scope, receive, send)


def merged_openapi(documents: Mapping[str, dict[str, Any]], version: str) -> dict[str, Any]:
    """Return one OpenAPI document for all services.

    Raises:
        ValueError: two services give one schema name different contents.

    """
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    schemes: dict[str, Any] = {}
    for service, document in documents.items():
        paths.update(document["paths"])
        components = document.get("components", {})
        schemes.update(components.get("securitySchemes", {}))
        for name, schema in components.get("schemas", {}).items():
            # One name with two meanings would give clients that are
            # generated from the document a wrong type, without a word.
            if schemas.setdefault(name, schema) != schema:
                raise ValueError(f"{service} defines the schema {name} otherwise than a service before it")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Firstline", "version": version, "description": _DESCRIPTION},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": schemes},
    }


_DESCRIPTION = (
    "The technical-support desk's API. Send `Authorization: Bearer <token>`. Times are UTC (RFC 3339). Lists come in"
    " pages: pass `next` as `cursor`. Errors are problem documents (RFC 9457) that say what to do. Send an"
    " `Idempotency-Key` with every creating POST: a retry with the same key and body gets the same answer, for 7 days."
)
