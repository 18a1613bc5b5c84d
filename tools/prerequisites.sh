#!/bin/sh
# Looks for what `make setup` needs before anything is fetched. Prints the Python to use on standard
# output; names everything that is missing at once on standard error and exits 1.
set -eu

missing=""

python=""
for candidate in ${PYTHON:-} python3 python3.11 python3.12; do
    # Running it is the test: a version manager's shim exists for versions that are not active too.
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
        >/dev/null 2>&1; then
        python="$candidate"
        break
    fi
done
if [ -z "$python" ]; then
    found="$(python3 --version 2>/dev/null || echo 'no python3')"
    missing="$missing
  Python 3.11 or 3.12 with its venv module (found: $found). Debian: apt-get install python3 python3-venv"
fi

if command -v node >/dev/null 2>&1; then
    if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'; then
        missing="$missing
  Node 20 or newer (found: $(node --version))"
    fi
else
    missing="$missing
  Node 20 or newer (found: no node)"
fi

if ! command -v npm >/dev/null 2>&1; then
    missing="$missing
  npm (comes with Node; Debian: apt-get install npm)"
fi

if [ -n "$missing" ]; then
    printf 'error: xmtp-tee needs:%s\n' "$missing" >&2
    exit 1
fi
printf '%s\n' "$python"
