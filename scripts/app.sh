#!/usr/bin/env bash
# bash scripts/app.sh [flags of talkvid app]: serves the web page on this machine.
# The first line of stdout is its address.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
exec "${PYTHON:-python3}" "$root/src/talkvid/cli/launch.py" app "$@"
