"""Pages of exactly the listed origins may call the API from a browser."""

from flask import Flask, request

from . import settings

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}


def is_preflight() -> bool:
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def register(app: Flask):
    # Before any route: a browser sends no token with a preflight.
    @app.before_request
    def answer():
        if is_preflight():
            return "", 204

    @app.after_request
    def allow(response):
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in settings.CORS_ORIGINS:
            response.headers["Access-Control-Allow-Origin"] = origin
            if is_preflight():
                response.headers.update(PREFLIGHT)
        return response
