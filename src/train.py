"""`python src/train.py --config src/configs/stage_1.yaml [key=value …]`: a door to `talkvid train`."""

import sys

from talkvid.cli.main import run_verb

if __name__ == "__main__":
    sys.exit(run_verb("train", prog="python src/train.py"))
