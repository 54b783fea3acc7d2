#!/bin/sh
# The one start command.
cd "$(dirname "$0")"
export NODE_ENV=production NEXT_TELEMETRY_DISABLED=1
exec node_modules/.bin/next start --hostname 0.0.0.0 --port "${PORT:-8000}"
