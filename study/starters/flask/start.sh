#!/bin/sh
# The one start command.
cd "$(dirname "$0")"
exec waitress-serve --listen="0.0.0.0:${PORT:-8000}" app.main:app
