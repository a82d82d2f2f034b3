"""The public API as the pages use it: one method an operation."""

from collections.abc import Mapping
from typing import IO, Final
from urllib.parse import quote

import httpx

from firstline.web.calls import Calls, Json, Refusal, SignedOut, Tokens, refusal

__all__ = ["Desk", "Json", "Refusal", "SignedOut", "Tokens", "refusal"]

MESSAGES_A_PAGE: Final = 100
QUEUE_SHOWN: Final = 50
PAGES_SUGGESTED: Final = 3
RELEASES_SHOWN: Final = 100


class Desk(Calls):
    """The API's operations in the name of one visitor."""

    async def policy(self) -> Json:
        """Return the public policy document."""
        return await self._json("GET", "/v1/policy")

    async def scope(self) -> Json:
        """Return the catalogue of topics."""
        return await self._json("GET", "/v1/policy/scope")

    async def openness(self, at: str) -> Json:
        """Return whether the Helpdesk is open at an instant, and its next opening and closing."""
        return await self._json("POST", "/v1/calendar/open", json={"at": at})

    async def organization(self, organization_id: str) -> Json:
        """Return a customer or partner company."""
        return await self._json("GET", f"/v1/organizations/{organization_id}")

    async def check(self, body: Json) -> Json:
        """Ask what the policy says of a request, and which pages may answer it; nothing is stored."""
        return await self._json("POST", "/v1/tickets/check", json=body)

    async def canned_answers(self) -> list[Json]:
        """Return all ready-made answers, by their codes."""
        return await self._whole("/v1/canned-answers")

    async def canned_answer(self, code: str) -> tuple[Json, str]:
        """Return a ready-made answer, and what names this version of it."""
        # A code is a member of the address here, and may hold what an address gives a meaning.
        answer = await self._send("GET", f"/v1/canned-answers/{quote(code, safe='')}")
        return answer.json(), answer.headers["ETag"]

    async def keep_canned_answer(self, code: str, body: Json, etag: str | None) -> None:
        """Keep a ready-made answer under its code: a new one, or in the place of the version that `etag` names."""
        headers = {"If-Match": etag} if etag else {"If-None-Match": "*"}
        await self._send("PUT", f"/v1/canned-answers/{quote(code, safe='')}", json=body, headers=headers)

    async def forget_canned_answer(self, code: str, etag: str) -> None:
        """Forget the version of a ready-made answer that `etag` names."""
        await self._send("DELETE", f"/v1/canned-answers/{quote(code, safe='')}", headers={"If-Match": etag})

    async def find_articles(self, words: str, topic: str | None, limit: int = PAGES_SUGGESTED) -> list[Json]:
        """Return the pages of the documentation that words find, the likeliest first."""
        given = {"q": words, "limit": limit} | ({"topic": topic} if topic else {})
        items: list[Json] = (await self._json("GET", "/v1/articles", params=given))["items"]
        return items

    async def article(self, article_id: str) -> Json:
        """Return a page of the documentation."""
        return await self._json("GET", f"/v1/articles/{article_id}")

    async def article_uses(self) -> list[Json]:
        """Return every page of the documentation with how many requests were sent in spite of it."""
        return await self._whole("/v1/articles/uses")

    async def submit(self, body: Json, key: str) -> Json:
        """Send a request; the same key again gives the same request."""
        return await self._json("POST", "/v1/tickets", json=body, headers={"Idempotency-Key": key})

    async def search(self, wish: Mapping[str, str]) -> Json:
        """Return a page of the requests within reach, newest first; `wish` has `q`, `status` and `cursor`."""
        given = {name: value for name, value in wish.items() if value}
        return await self._json("GET", "/v1/tickets", params=given or None)

    async def act_on_many(self, body: Json, key: str) -> Json:
        """Use one verb on many requests; the same key again does nothing twice."""
        return await self._json("POST", "/v1/tickets/bulk", json=body, headers={"Idempotency-Key": key})

    async def banners(self) -> list[str]:
        """Return the texts that the portal shows of incidents now."""
        return [one["text"] for one in (await self._json("GET", "/v1/banners"))["items"]]

    async def incidents(self, cursor: str | None) -> Json:
        """Return a page of the incidents, newest first."""
        return await self._json("GET", "/v1/incidents", params={"cursor": cursor} if cursor else None)

    async def open_incident(self, body: Json, key: str) -> Json:
        """Open an incident; the same key again gives the same one."""
        return await self._json("POST", "/v1/incidents", json=body, headers={"Idempotency-Key": key})

    async def incident(self, incident_id: str) -> Json:
        """Return an incident with its last answers."""
        return await self._json("GET", f"/v1/incidents/{incident_id}")

    async def incident_requests(self, incident_id: str, cursor: str | None) -> Json:
        """Return a page of an incident's requests, oldest first."""
        given = {"cursor": cursor} if cursor else None
        return await self._json("GET", f"/v1/incidents/{incident_id}/tickets", params=given)

    async def proposals(self, incident_id: str) -> list[Json]:
        """Return open requests that may have an incident's cause, the likeliest first."""
        items: list[Json] = (await self._json("GET", f"/v1/incidents/{incident_id}/proposals"))["items"]
        return items

    async def act_on_incident(self, incident_id: str, verb: str, body: Json, key: str) -> Json:
        """Use a verb on an incident; the same key again does nothing twice."""
        headers = {"Idempotency-Key": key}
        return await self._json("POST", f"/v1/incidents/{incident_id}/{verb}", json=body, headers=headers)

    async def ticket(self, reference: str) -> Json:
        """Return one request by ID or number."""
        return await self._json("GET", f"/v1/tickets/{reference}")

    async def entitlement(self, reference: str) -> Json:
        """Return what the licence of a request entitles to, when it came in and now."""
        return await self._json("GET", f"/v1/tickets/{reference}/entitlement")

    async def messages(self, reference: str) -> list[Json]:
        """Return the whole correspondence, oldest first."""
        return await self._whole(f"/v1/tickets/{reference}/messages")

    async def history(self, reference: str) -> list[Json]:
        """Return every event of a request, oldest first."""
        return await self._whole(f"/v1/tickets/{reference}/history")

    async def _whole(self, path: str) -> list[Json]:
        """Return all items of a list.

        Page by page until the end: only for lists that one request or one desk bounds.
        """
        found: list[Json] = []
        params: dict[str, str | int] = {"limit": MESSAGES_A_PAGE}
        while True:
            page = await self._json("GET", path, params=params)
            found += page["items"]
            if page["next"] is None:
                return found
            params["cursor"] = page["next"]

    async def relations(self, reference: str) -> list[Json]:
        """Return all requests that one belongs to: split, merged, following, linked."""
        return await self._whole(f"/v1/tickets/{reference}/relations")

    async def act(
        self, reference: str, verb: str, body: Json, *, key: str | None = None, claim: str | None = None
    ) -> Json:
        """Use a verb on a request; `key` makes a repetition harmless, `claim` shows that the request is ours."""
        given = {"Idempotency-Key": key, "Claim-Token": claim}
        headers = {name: value for name, value in given.items() if value}
        return await self._json("POST", f"/v1/tickets/{reference}/{verb}", json=body, headers=headers)

    async def releases(self) -> list[Json]:
        """Return the releases that requests wait for, the first hundred by version."""
        page = await self._json("GET", "/v1/releases", params={"waiting": "true", "limit": RELEASES_SHOWN})
        items: list[Json] = page["items"]
        return items

    async def ship(self, version: str, note: str, key: str) -> Json:
        """Say that a release is out; its requests come back and their clients are told."""
        headers = {"Idempotency-Key": key}
        return await self._json("POST", f"/v1/releases/{version}/ship", json={"note": note or None}, headers=headers)

    async def supervisor_requests(self, reference: str) -> list[Json]:
        """Return what the supervisor was asked about a request, oldest first."""
        page = await self._json(
            "GET", f"/v1/tickets/{reference}/supervisor-requests", params={"limit": MESSAGES_A_PAGE}
        )
        items: list[Json] = page["items"]
        return items

    async def access_requests(self, reference: str) -> list[Json]:
        """Return what access data were asked for on a request, oldest first; never what was given."""
        page = await self._json("GET", f"/v1/tickets/{reference}/access-requests", params={"limit": MESSAGES_A_PAGE})
        items: list[Json] = page["items"]
        return items

    async def held_texts(self, reference: str) -> list[Json]:
        """Return what was taken out of a request's texts as secret, oldest first; never what it was."""
        items: list[Json] = (await self._json("GET", f"/v1/tickets/{reference}/held-texts"))["items"]
        return items

    async def unanswered(self) -> list[Json]:
        """Return the oldest of what no supervisor has answered yet."""
        page = await self._json("GET", "/v1/supervisor-requests", params={"limit": QUEUE_SHOWN})
        items: list[Json] = page["items"]
        return items

    async def upload(self, name: str, content: IO[bytes], media_type: str) -> Json:
        """Upload a file for a message that follows, a piece at a time: it is never in memory as a whole."""
        return await self._json("POST", "/v1/attachments", files={"file": (name, content, media_type)})

    async def file(self, attachment_id: str) -> httpx.Response:
        """Return a file as an open stream, to be read and closed by the caller."""
        # Streamed through: files may have many megabytes, and several are on their way at once.
        return await self._send("GET", f"/v1/attachments/{attachment_id}", stream=True)

    async def queue(self) -> Json:
        """Return the beginning of the queue, first come first."""
        return await self._json("GET", "/v1/queue", params={"limit": QUEUE_SHOWN})

    async def forecast(self, ticket_id: str) -> Json:
        """Return when a request's next answer is to be expected."""
        return await self._json("GET", f"/v1/forecasts/{ticket_id}")

    async def place(self, ticket_id: str) -> Json:
        """Return a request's place in the queue."""
        return await self._json("GET", f"/v1/queue/{ticket_id}")

    async def claim(self, ticket_id: str | None, key: str) -> Json | None:
        """Take the next request, or that one; None when nobody waits. The same key again takes no second one."""
        wish = {"ticket_id": ticket_id} if ticket_id else {}
        answer = await self._send("POST", "/v1/queue/claims", json=wish, headers={"Idempotency-Key": key})
        content: Json | None = answer.json() if answer.content else None
        return content

    async def release(self, ticket_id: str, claim: str) -> None:
        """Give a claimed request back; it keeps its place."""
        headers = {"Claim-Token": claim}
        await self._send("POST", f"/v1/queue/claims/{ticket_id}/release", json={}, headers=headers)

    async def urgency_claims(self, cursor: str | None) -> Json:
        """Return a page of what became of each organisation's claims of urgency."""
        return await self._json("GET", "/v1/reports/urgency-claims", params={"cursor": cursor} if cursor else None)

    async def report(self, name: str, wanted: Mapping[str, str]) -> Json:
        """Return a report with its figures."""
        return await self._json("GET", f"/v1/reports/{name}", params=dict(wanted))

    async def report_file(self, name: str, form: str, wanted: Mapping[str, str]) -> httpx.Response:
        """Return a report as a chart (svg) or a table (csv)."""
        return await self._send("GET", f"/v1/reports/{name}", params={**wanted, "format": form})

    async def simulation_basis(self) -> Json:
        """Return the parts of the policy that what-if can change, as they are."""
        return await self._json("GET", "/v1/simulations/policy")

    async def simulations(self) -> list[Json]:
        """Return the visitor's latest simulations, newest first."""
        items: list[Json] = (await self._json("GET", "/v1/simulations"))["items"]
        return items

    async def simulate(self, body: Json, key: str) -> Json:
        """Ask what would have been late under changes; the same key again gives the same simulation."""
        return await self._json("POST", "/v1/simulations", json=body, headers={"Idempotency-Key": key})

    async def simulation(self, simulation_id: str, by: str) -> Json:
        """Return how far a simulation has come, and what it has counted."""
        return await self._json("GET", f"/v1/simulations/{simulation_id}", params={"by": by})

    async def simulation_file(self, simulation_id: str, form: str, by: str) -> httpx.Response:
        """Return a simulation as a chart (svg), a table (csv) or a document (json)."""
        return await self._send("GET", f"/v1/simulations/{simulation_id}", params={"by": by, "format": form})

    async def cancel_simulation(self, simulation_id: str) -> None:
        """End a simulation where it is."""
        await self._send("DELETE", f"/v1/simulations/{simulation_id}")

    async def held_mails(self, cursor: str | None = None, request_id: str | None = None) -> Json:
        """Return a page of the mails that are held, newest first: all, or those that name a request."""
        given = {"outcome": "quarantined", "cursor": cursor, "ticket_id": request_id}
        return await self._json("GET", "/v1/mails", params={name: value for name, value in given.items() if value})

    async def judge_mail(self, mail_id: str, verb: str, body: Json, key: str) -> Json:
        """Accept or reject a held mail, or open a request of it; return what became of it."""
        return await self._json("POST", f"/v1/mails/{mail_id}/{verb}", json=body, headers={"Idempotency-Key": key})

    async def clocks(self, ticket_ids: list[str]) -> list[Json]:
        """Return the clocks of these requests."""
        if not ticket_ids:
            return []
        page = await self._json("GET", "/v1/clocks", params={"ticket_ids": ",".join(ticket_ids)})
        items: list[Json] = page["items"]
        return items
