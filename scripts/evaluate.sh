#!/usr/bin/env bash
# bash scripts/evaluate.sh [flags of talkvid evaluate]: scores finished videos, whoever made them.
# The last line of stdout is the path of the report.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
exec "${PYTHON:-python3}" "$root/src/talkvid/cli/launch.py" evaluate "$@"
