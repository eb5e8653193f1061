#!/usr/bin/env bash
# Makes .venv at the first call, then runs every check: style, types, unit, integration and end-to-end tests.
# Arguments go to pytest: ./test.sh tests/unit -k framing
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
. deployment/venv.sh
make_venv deployment/requirements-dev.txt
if [ $# -eq 0 ]; then
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
fi
exec .venv/bin/python -m pytest "$@"
