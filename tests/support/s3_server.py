"""A small server that speaks as much of S3 as the desk uses: objects, and uploads in parts. It checks no signatures."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MISSING = '<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>'


@dataclass(slots=True)
class Bucket:
    """What the server holds, and whether it is out of order."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    broken: bool = False

    async def serve(self, request: Request) -> Response:
        """Answer one request."""
        key, query, body = request.path_params["key"].lstrip("/"), request.query_params, await request.body()
        if self.broken:
            return Response("<Error><Code>AccessDenied</Code></Error>", 403)
        if request.method in ("GET", "HEAD"):
            return self._get(key, query)
        if "delete" in query:
            names = re.findall(r"<Key>(.*?)</Key>", body.decode())
            for name in names:
                self.objects.pop(name, None)
            gone = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in names)
            return _xml(f"<DeleteResult>{gone}</DeleteResult>")
        if "uploads" in query or "uploadId" in query:
            return self._part(request.method, key, query, body)
        self.objects[key] = body
        return Response(headers={"ETag": '"1"'})

    def _get(self, key: str, query: QueryParams) -> Response:
        if key in self.objects:
            headers = {"ETag": '"1"', "Last-Modified": "Mon, 23 Nov 2026 12:00:00 GMT"}
            return Response(self.objects[key], headers=headers)
        if "list-type" not in query:
            return Response(MISSING, 404, media_type="application/xml")
        found = (name for name in sorted(self.objects) if name.startswith(query.get("prefix", "")))
        when = "<LastModified>2026-11-23T12:00:00.000Z</LastModified>"
        listed = (f"<Contents><Key>{name}</Key><Size>1</Size>{when}<ETag>1</ETag></Contents>" for name in found)
        return _xml(f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(listed)}</ListBucketResult>")

    def _part(self, method: str, key: str, query: QueryParams, body: bytes) -> Response:
        if "uploads" in query:
            upload = f"upload-{len(self.uploads)}"
            self.uploads[upload] = {}
            inner = f"<Bucket>b</Bucket><Key>{key}</Key><UploadId>{upload}</UploadId>"
            return _xml(f"<InitiateMultipartUploadResult>{inner}</InitiateMultipartUploadResult>")
        if method == "PUT":
            self.uploads[query["uploadId"]][int(query["partNumber"])] = body
            return Response(headers={"ETag": f'"{query["partNumber"]}"'})
        parts = self.uploads.pop(query["uploadId"])
        if method == "DELETE":
            return Response(status_code=204)
        self.objects[key] = b"".join(parts[number] for number in sorted(parts))
        return _xml(f"<CompleteMultipartUploadResult><Key>{key}</Key><ETag>1</ETag></CompleteMultipartUploadResult>")


def _xml(text: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{text}', media_type="application/xml")


@asynccontextmanager
async def s3_server(name: str = "b") -> AsyncIterator[Bucket]:
    """Run the server on a free port of this machine, with one bucket."""
    bucket = Bucket()
    app = Starlette(
        routes=[Route(f"/{name}{{key:path}}", bucket.serve, methods=["GET", "HEAD", "PUT", "POST", "DELETE"])]
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off", ws="none"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    bucket.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield bucket
    finally:
        server.should_exit = True
        await running
