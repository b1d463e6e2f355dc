#!/usr/bin/env bash
# MEDIA=<folder with split.csv> bash scripts/train_mini.sh     trains talkvid-mini from the clips to a checkpoint.
# Steps resume. OUT, DEVICE, WORKERS, MAX_STEPS override; PACKED=<mini_travel folder> takes carried clips.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${OUT:=exp/talkvid-mini}" "${DEVICE:=cpu}" "${WORKERS:=0}" "${MEDIA:=${PACKED:+$PACKED/media}}"
: "${MEDIA:?folder that holds split.csv, train/ and train_extra/}"
python -m talkvid.training.mini_data --media "$MEDIA" --out "$OUT/data" ${PACKED:+--packed "$PACKED"} "$@"
shared=("media=$MEDIA" "data=$OUT/data" "loop.out=$OUT" "loop.device=$DEVICE" "loop.workers=$WORKERS"
    ${MAX_STEPS:+"loop.max_steps=$MAX_STEPS"})
python -m talkvid.training.mini_autoencoder --config src/configs/mini/autoencoder.yaml "${shared[@]}"
python -m talkvid.training.mini_lips --config src/configs/mini/lip_predictor.yaml "${shared[@]}"
python -m talkvid.training.mini_motion --config src/configs/mini/head_motion.yaml "media=$MEDIA" "data=$OUT/data" "out=$OUT"
python -m talkvid.training.mini_generator --config src/configs/mini/generator.yaml "${shared[@]}" \
    "autoencoder=$OUT/autoencoder/autoencoder.safetensors"
exec python -m talkvid.training.mini_bundle --runs "$OUT" --out "$OUT/checkpoint"
