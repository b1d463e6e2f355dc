#!/usr/bin/env bash
# bash statistics.sh [RUN_FOLDER] [key=value ...]: report.html and statistics/ of a run: figures, numbers, data-set card.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec "${PYTHON:-python3}" "$here/../../src/talkvid/cli/launch.py" curate report --config "$here/config.yaml" "$@"
