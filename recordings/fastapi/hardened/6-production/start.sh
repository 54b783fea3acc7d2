#!/bin/sh
# The one start command. One process: the limits on tries are counted in it.
cd "$(dirname "$0")"
exec uvicorn app.main:app --host 0.0.0.0 --port "${PORT:-8000}" --no-server-header --no-access-log
