#!/usr/bin/env bash
# bash scripts/inference.sh [flags of src/inference.py]: one portrait and one speech file become a video.
# Without flags it uses test_samples/short_case/astronaut.  The last line of stdout is the path of the video.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
exec "${PYTHON:-python3}" "$root/src/talkvid/cli/launch.py" inference "$@"
