#!/usr/bin/env bash
# bash scripts/test.sh [flags of pytest]: sets up what is missing, then runs the tests.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
exec "${PYTHON:-python3}" "$root/src/talkvid/cli/launch.py" test "$@"
