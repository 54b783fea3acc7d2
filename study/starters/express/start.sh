#!/bin/sh
# The one start command.
cd "$(dirname "$0")"
export NODE_ENV=production
exec node server.js
