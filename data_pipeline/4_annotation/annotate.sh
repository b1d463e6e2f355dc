#!/usr/bin/env bash
# bash annotate.sh [RUN_FOLDER] [key=value ...]: language, words, caption, persons, duplicates; settings in config.yaml.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
exec "${PYTHON:-python3}" "$here/../../src/talkvid/cli/launch.py" curate annotate --config "$here/config.yaml" "$@"
