#!/usr/bin/env bash
# Generates the Prisma clients for both databases into tests/js/generated, unless they are newer than what they come from.
set -euo pipefail
cd "$(dirname "$0")/.."

# `prisma generate` wants a schema engine to be there, which it would download, and never runs it: a stand-in is enough.
stand_in=$(mktemp)
trap 'rm -f "$stand_in"' EXIT
printf '#!/bin/sh\nexit 0\n' >"$stand_in"
chmod +x "$stand_in"

for database in sqlite postgresql; do
  schema=prisma/$database.prisma
  made=generated/$database/index.js
  if [ "$made" -nt "$schema" ] && [ "$made" -nt package-lock.json ]; then continue; fi
  rm -rf "generated/$database"
  CHECKPOINT_DISABLE=1 PRISMA_SCHEMA_ENGINE_BINARY=$stand_in node_modules/.bin/prisma generate --schema "$schema" >&2
  touch "$made"
done
