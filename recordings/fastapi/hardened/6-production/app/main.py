from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse

from . import admin, auth, db, files, notes, settings, webhooks
from .headers import SecurityHeaders

shown = {} if not settings.PRODUCTION else {"docs_url": None, "redoc_url": None, "openapi_url": None}
api = FastAPI(**shown)
api.add_middleware(files.BodyLimit)
api.add_middleware(
    CORSMiddleware,
    allow_origins=settings.CORS_ORIGINS,
    allow_methods=["GET", "POST", "PATCH", "DELETE"],
    allow_headers=["Authorization", "Content-Type"],
)
db.prepare()
admin.create_admin()
api.include_router(auth.router)
api.include_router(files.router)
api.include_router(notes.router)
api.include_router(admin.router)
api.include_router(webhooks.router)


@api.exception_handler(RequestValidationError)
async def bad_input(request: Request, error: RequestValidationError):
    # Which field and why, without what was sent.
    detail = [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()]
    return JSONResponse({"detail": detail}, 422)


@api.get("/api/health")
def health():
    return {"status": "ok"}


# Outside even of the framework's own error pages.
app = SecurityHeaders(api)
