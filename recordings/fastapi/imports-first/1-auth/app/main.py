from fastapi import FastAPI

from . import auth, db

app = FastAPI()
db.prepare()
app.include_router(auth.router)


@app.get("/api/health")
def health():
    return {"status": "ok"}
