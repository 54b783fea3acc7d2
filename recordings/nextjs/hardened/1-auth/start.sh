#!/bin/sh
# The one start command.
cd "$(dirname "$0")"
export NODE_ENV=production NEXT_TELEMETRY_DISABLED=1
exec node server.mjs
