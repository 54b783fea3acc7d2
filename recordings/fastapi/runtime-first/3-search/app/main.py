from fastapi import FastAPI

from . import auth, db, files, notes

app = FastAPI()
db.prepare()
app.include_router(auth.router)
app.include_router(files.router)
app.include_router(notes.router)


@app.get("/api/health")
def health():
    return {"status": "ok"}
