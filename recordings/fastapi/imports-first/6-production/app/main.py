from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from . import admin, auth, config, db, files, notes, webhooks

app = FastAPI()
app.add_middleware(
    CORSMiddleware,
    allow_origins=config.CORS_ORIGINS,
    allow_methods=["*"],
    allow_headers=["*"],
)
db.prepare()
admin.seed_admin()
app.include_router(auth.router)
app.include_router(files.router)
app.include_router(notes.router)
app.include_router(admin.router)
app.include_router(webhooks.router)


@app.get("/api/health")
def health():
    return {"status": "ok"}
