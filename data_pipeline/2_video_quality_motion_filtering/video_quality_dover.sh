#!/usr/bin/env bash
# bash video_quality_dover.sh [RUN_FOLDER] [key=value ...]: scores the pictures of the clips of stage 1.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec "${PYTHON:-python3}" "$here/../../src/talkvid/cli/launch.py" curate quality --config "$here/config.yaml" "$@"
