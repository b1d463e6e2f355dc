#!/usr/bin/env bash
# bash src/data_preprocess/env.sh [verb flags]: sets up the environment and says what preprocessing will use.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
exec "${PYTHON:-python3}" "$root/src/talkvid/cli/launch.py" doctor "$@"
