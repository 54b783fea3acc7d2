"""Every refusal is JSON, and an error nobody foresaw tells nothing of itself."""

from flask import Flask, json
from werkzeug.exceptions import HTTPException


def answer(error: HTTPException):
    response = error.get_response()
    response.data = json.dumps({"detail": error.description or error.name})
    response.content_type = "application/json"
    return response


def register(app: Flask):
    app.register_error_handler(HTTPException, answer)
