from fastapi import FastAPI

from . import admin, auth, db, files, notes, webhooks

app = FastAPI()
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
