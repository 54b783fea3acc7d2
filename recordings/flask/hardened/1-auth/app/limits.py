"""How often one address may try."""

import threading
import time
from collections import deque
from functools import wraps

from flask import request
from werkzeug.exceptions import TooManyRequests


class Limit:
    """At most `count` calls in `seconds` for each client address, in this process.

    The address is the socket's own: waitress believes no X-Forwarded-For unless it is told to.
    """

    MOST_ADDRESSES = 10_000

    def __init__(self, count: int, seconds: int):
        self.count, self.seconds = count, seconds
        self.calls: dict[str, deque[float]] = {}
        self.lock = threading.Lock()

    def __call__(self, view):
        @wraps(view)
        def limited(*args, **kwargs):
            self.count_call(request.remote_addr or "unknown")
            return view(*args, **kwargs)

        return limited

    def count_call(self, address: str):
        now = time.monotonic()
        with self.lock:
            calls = self.calls.setdefault(address, deque())
            while calls and calls[0] <= now - self.seconds:
                calls.popleft()
            if len(calls) >= self.count:
                wait = max(1, int(calls[0] + self.seconds - now) + 1)
                raise TooManyRequests("too many tries", retry_after=wait)
            calls.append(now)
            if len(self.calls) > self.MOST_ADDRESSES:
                self.calls = {key: kept for key, kept in self.calls.items() if kept and kept[-1] > now - self.seconds}


login_limit = Limit(5, 60)
register_limit = Limit(20, 60)
