#!/bin/sh
# The one start command.
cd "$(dirname "$0")"
exec ./target/release/app
