#!/bin/sh
# The one start command. One process with threads: the limits on tries are counted in it.
cd "$(dirname "$0")"
exec waitress-serve --listen="0.0.0.0:${PORT:-8000}" --threads=8 app.main:app
