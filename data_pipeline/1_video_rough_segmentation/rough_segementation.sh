#!/usr/bin/env bash
# bash rough_segementation.sh [DIR|LIST] [key=value ...]: cuts videos into clips; settings in config.yaml.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec "${PYTHON:-python3}" "$here/../../src/talkvid/cli/launch.py" curate segment --config "$here/config.yaml" "$@"
