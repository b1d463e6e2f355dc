#!/usr/bin/env bash
# bash head_filter.sh [RUN_FOLDER] [key=value ...]: scores the heads in the clips left by stage 2.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec "${PYTHON:-python3}" "$here/../../src/talkvid/cli/launch.py" curate head --config "$here/config.yaml" "$@"
