#!/usr/bin/env bash
# Starts SentimentAgent in the foreground: makes .venv in this checkout at the first start, then runs supervisord
# with deployment/supervisord.conf. Settings come from .env (here, or in SENTIMENTAGENT_HOME) and the environment.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
. deployment/venv.sh
make_venv deployment/requirements.txt
if [ -z "${SENTIMENTAGENT_ENV_FILE:-}" ] && [ -f .env ]; then
    export SENTIMENTAGENT_ENV_FILE="$PWD/.env"
fi
exec .venv/bin/sentimentagent start --conf "$PWD/deployment/supervisord.conf"
