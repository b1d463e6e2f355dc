#!/usr/bin/env bash
# bash data_pipeline/run_all.sh DIR [-o OUT] [key=value ...]: all stages, each clip decoded once; then lists and report.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec "${PYTHON:-python3}" "$here/../src/talkvid/cli/launch.py" curate run --config "$here/config.yaml" "$@"
