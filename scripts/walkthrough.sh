#!/usr/bin/env bash
# bash scripts/walkthrough.sh [flags of talkvid walkthrough]: data, training, videos and scores from the samples alone.
# The last line of stdout is the path of a page that shows every step.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
exec "${PYTHON:-python3}" "$root/src/talkvid/cli/launch.py" walkthrough "$@"
