"""A status board without registration: accounts are seeded, the admin's from the environment, opaque tokens in a header of its own."""
import os
import secrets

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

users = {os.environ["ADMIN_EMAIL"]: os.environ["ADMIN_PASSWORD"]}
users.update({f"{name}@board.example": f"{name} on watch" for name in ("ada", "bo", "cy", "di")})
tokens = {}
board = []


async def login(request):
    body = await request.json()
    login_name, pw = body.get("login"), body.get("pw")
    if users.get(login_name) != pw or pw is None:
        return JSONResponse({"ok": False, "error": "wrong login"})
    token = secrets.token_urlsafe(32)
    tokens[token] = login_name
    return JSONResponse({"ok": True, "session": {"key": token}})


def who(request):
    return tokens.get(request.headers.get("x-board-token", ""))


async def account(request):
    if who(request) is None:
        return JSONResponse({"error": "sign in"}, status_code=401)
    return JSONResponse({"account": {"login": who(request)}})


async def createdb(request):
    tokens.clear()
    board.clear()
    return JSONResponse({"ok": True})


routes = [Route("/login", login, methods=["POST"]), Route("/account", account), Route("/createdb", createdb)]
application = Starlette(routes=[Mount("/v1", routes=routes)])
