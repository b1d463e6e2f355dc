#!/usr/bin/env bash
# bash video_motion_cotracker.sh [RUN_FOLDER] [key=value ...]: scores the motion in the clips left by quality.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec "${PYTHON:-python3}" "$here/../../src/talkvid/cli/launch.py" curate motion --config "$here/config_motion.yaml" "$@"
