"""`python src/data_preprocess/check_data.py data/NAME.json`: a door to `talkvid preprocess --check`.

Paths are relative to the caller's folder; see readme.md beside this file.
"""

import sys

if __name__ == "__main__":
    from talkvid.cli.main import run_verb

    sys.exit(run_verb("check_data", prog="python src/data_preprocess/check_data.py"))
