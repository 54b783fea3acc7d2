#!/bin/sh
# The one start command.
# Tries are counted for the socket's own address: an X-Forwarded-For is not believed, not even from this host.
cd "$(dirname "$0")"
exec uvicorn app.main:app --host 0.0.0.0 --port "${PORT:-8000}" --no-proxy-headers
