"""What was sent, held to what a route asks for."""

from flask import abort, request


def json_object() -> dict:
    try:
        content = request.get_json()
    except RecursionError:
        abort(400, "the body is nested too deeply")
    if not isinstance(content, dict):
        abort(422, "a JSON object is needed")
    return content


def text(content: dict, name: str, longest: int, shortest: int = 0) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        abort(422, f"{name}: a text is needed")
    if not shortest <= len(value) <= longest:
        abort(422, f"{name}: {shortest} to {longest} characters are needed")
    # JSON can spell half a character, which nothing after this could store.
    if any("\ud800" <= character <= "\udfff" for character in value):
        abort(422, f"{name}: not Unicode text")
    return value


def whole_number(name: str, least: int, most: int, otherwise: int) -> int:
    """Of the query."""
    value = request.args.get(name)
    if value is None:
        return otherwise
    if not (value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most):
        abort(422, f"{name}: {least} to {most}")
    return int(value)
