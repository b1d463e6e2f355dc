#!/usr/bin/env bash
# STAGE=1 TRAIN=TalkVid-Core GPU=0,1 bash scripts/train.sh [section.key=value ...]
# GPU=cpu: no GPU; GPU=cpu,cpu: two processes.  ENGINE=deepspeed|ddp|single.  CONFIG: a YAML, or a folder of stages.
# Several machines: HOST_NUM, INDEX, CHIEF_IP, CHIEF_PORT.  Paths are relative to the repository.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
exec "${PYTHON:-python3}" "$root/src/talkvid/cli/launch.py" train "$@"
