#!/bin/sh
# The one start command. One process with threads: the limits on tries are counted in it.
# Past any upload: waitress stops reading here. Smaller ones the app refuses itself.
cd "$(dirname "$0")"
exec waitress-serve --listen="0.0.0.0:${PORT:-8000}" --threads=8 --max-request-body-size=8388608 app.main:app
