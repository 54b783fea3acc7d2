"""How often one address may try."""

import threading
import time
from collections import deque

from fastapi import HTTPException, Request


class Limit:
    """At most `count` calls in `seconds` for each client address, in this process."""

    MOST_ADDRESSES = 10_000

    def __init__(self, count: int, seconds: int):
        self.count, self.seconds = count, seconds
        self.calls: dict[str, deque[float]] = {}
        self.lock = threading.Lock()

    def __call__(self, request: Request):
        address = request.client.host if request.client else "unknown"
        now = time.monotonic()
        with self.lock:
            calls = self.calls.setdefault(address, deque())
            while calls and calls[0] <= now - self.seconds:
                calls.popleft()
            if len(calls) >= self.count:
                wait = max(1, int(calls[0] + self.seconds - now) + 1)
                raise HTTPException(429, "too many tries", headers={"Retry-After": str(wait)})
            calls.append(now)
            if len(self.calls) > self.MOST_ADDRESSES:
                self.calls = {key: kept for key, kept in self.calls.items() if kept and kept[-1] > now - self.seconds}


login_limit = Limit(5, 60)
register_limit = Limit(20, 60)
