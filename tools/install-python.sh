#!/bin/sh
# Fills .venv with exactly what requirements.lock names, hash by hash, then links the package into it.
# usage: tools/install-python.sh PYTHON
set -eu
cd "$(dirname "$0")/.."
python="$1"

if ! .venv/bin/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' >/dev/null 2>&1; then
    rm -rf .venv
    "$python" -m venv .venv
fi

# Three of Ape's dependencies come as source. Their build backend stands in the lock and is installed
# first, so no build fetches anything on its own. uv does what pip does, several times faster; it is in
# the lock too, and trusts the certificates that the system trusts. Where it cannot reach the index that
# pip is configured for, pip goes on.
bootstrap="$(mktemp)"
trap 'rm -f "$bootstrap"' EXIT
awk '/^[a-zA-Z0-9]/ { on = /^(packaging|setuptools|uv|wheel)==/ } on' requirements.lock >"$bootstrap"
pip="$PWD/.venv/bin/python -m pip --quiet --disable-pip-version-check"
$pip install --require-hashes --no-deps -r "$bootstrap"
if ! VIRTUAL_ENV="$PWD/.venv" UV_SYSTEM_CERTS=true \
    .venv/bin/uv pip install --quiet --require-hashes --no-build-isolation -r requirements.lock \
    2>.venv/uv.log; then
    printf '    uv did not succeed (.venv/uv.log says why); pip does it instead, more slowly\n'
    $pip install --require-hashes --no-build-isolation -r requirements.lock
fi

# No build isolation here either: hatchling is in the lock.
$pip install --no-deps --no-build-isolation -e .
