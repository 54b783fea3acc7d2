import hashlib
import hmac
import json
import os

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from . import auth, db

router = APIRouter()
WEBHOOK_SECRET = os.environ.get("WEBHOOK_SECRET", "dev-webhook-secret").encode()


def store(event: dict):
    with db.connect() as conn:
        conn.execute(
            "INSERT OR IGNORE INTO events (id, type, data) VALUES (?, ?, ?)",
            (event["id"], event["type"], json.dumps(event["data"])),
        )


@router.post("/api/webhooks/payments")
async def payments(request: Request):
    body = await request.body()
    expected = "sha256=" + hmac.new(WEBHOOK_SECRET, body, hashlib.sha256).hexdigest()
    if request.headers.get("X-Signature") != expected:
        raise HTTPException(401, "bad signature")
    await run_in_threadpool(store, json.loads(body))
    return {"received": True}


@router.get("/api/admin/webhook-events", dependencies=[Depends(auth.admin)])
def list_events():
    with db.connect() as conn:
        rows = conn.execute("SELECT id, type, data FROM events").fetchall()
    return {"events": [{"id": r["id"], "type": r["type"], "data": json.loads(r["data"])} for r in rows]}
