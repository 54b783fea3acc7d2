"""Cross-origin answers for the listed origins."""

import os

ORIGINS = {origin.strip() for origin in os.environ.get("CORS_ORIGINS", "").split(",") if origin.strip()}


class Cors:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
        origin = headers.get(b"origin")
        allowed = [(b"vary", b"Origin")]
        if origin in ORIGINS:
            allowed += [
                (b"access-control-allow-origin", origin.encode()),
                (b"access-control-allow-methods", b"GET, POST, PATCH, DELETE"),
                (b"access-control-allow-headers", b"Authorization, Content-Type"),
            ]
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            await send({"type": "http.response.start", "status": 204, "headers": allowed})
            return await send({"type": "http.response.body", "body": b""})

        async def sending(message):
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *allowed]}
            await send(message)

        await self.app(scope, receive, sending)
