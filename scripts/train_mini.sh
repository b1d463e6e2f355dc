#!/usr/bin/env bash
# MEDIA=<folder with split.csv> bash scripts/train_mini.sh     trains talkvid-mini from the clips to a checkpoint.
# Every step takes up where it stopped, so the same line may be repeated. OUT, DEVICE, WORKERS and MAX_STEPS
# override; PACKED=<folder of mini_travel pack> takes clips that were carried to this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${OUT:=exp/talkvid-mini}" "${DEVICE:=cpu}" "${WORKERS:=0}"
if [[ -n "${PACKED:-}" ]]; then
    MEDIA="$PACKED/media"
    python -m talkvid.training.mini_travel unpack --packed "$PACKED" --data "$OUT/data"
else
    : "${MEDIA:?folder that holds split.csv, train/ and train_extra/}"
    python -m talkvid.training.mini_data --media "$MEDIA" --out "$OUT/data" "$@"
fi
shared=("media=$MEDIA" "data=$OUT/data" "loop.out=$OUT" "loop.device=$DEVICE" "loop.workers=$WORKERS")
if [[ -n "${MAX_STEPS:-}" ]]; then shared+=("loop.max_steps=$MAX_STEPS"); fi
python -m talkvid.training.mini_autoencoder --config src/configs/mini/autoencoder.yaml "${shared[@]}"
python -m talkvid.training.mini_lips --config src/configs/mini/lip_predictor.yaml "${shared[@]}"
python -m talkvid.training.mini_generator --config src/configs/mini/generator.yaml "${shared[@]}" \
    "autoencoder=$OUT/autoencoder/autoencoder.safetensors"
exec python -m talkvid.training.mini_bundle --runs "$OUT" --out "$OUT/checkpoint"
