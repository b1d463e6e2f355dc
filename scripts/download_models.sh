#!/usr/bin/env bash
# bash scripts/download_models.sh --accept_licence [NAME …]: brings the published checkpoints into model_ckpts/.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
exec "${PYTHON:-python3}" "$root/src/talkvid/cli/launch.py" models fetch production "$@"
