import hashlib
import hmac
import json

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from . import config, db
from .auth import require_admin

router = APIRouter(prefix="/api", tags=["webhooks"])


class Event(BaseModel):
    id: str
    type: str
    data: dict


def save(event: Event):
    with db.connect() as conn:
        conn.execute(
            "INSERT OR IGNORE INTO events (id, type, data) VALUES (?, ?, ?)",
            (event.id, event.type, json.dumps(event.data)),
        )


@router.post("/webhooks/payments")
async def receive(request: Request, x_signature: str = Header(default="")):
    body = await request.body()
    digest = hmac.new(config.WEBHOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(f"sha256={digest}", x_signature):
        raise HTTPException(401, "Invalid signature")
    await run_in_threadpool(save, Event.model_validate_json(body))
    return {"status": "ok"}


@router.get("/admin/webhook-events", dependencies=[Depends(require_admin)])
def list_events():
    with db.connect() as conn:
        rows = conn.execute("SELECT id, type, data FROM events").fetchall()
    return {"events": [{"id": row["id"], "type": row["type"], "data": json.loads(row["data"])} for row in rows]}
