#!/usr/bin/env bash
# STAGE=1 TRAIN=TalkVid-Core GPU=0 bash scripts/train.sh [section.key=value ...]      (GPU=cpu: no GPU)
# Trains src/configs/stage_$STAGE.yaml on data/$TRAIN.json.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
exec "${PYTHON:-python3}" "$root/src/talkvid/cli/launch.py" train "$@"
