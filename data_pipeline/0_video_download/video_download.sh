#!/usr/bin/env bash
# bash video_download.sh LIST [key=value ...]: fetches the videos of a list, or exact clips; settings in config.yaml.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec "${PYTHON:-python3}" "$here/../../src/talkvid/cli/launch.py" curate download --config "$here/config.yaml" "$@"
