"""`python src/data_preprocess/process_custom_data.py --input_dir DIR`: a door to `talkvid preprocess`.

Paths are relative to the caller's folder; see readme.md beside this file.
"""

import sys

if __name__ == "__main__":
    from talkvid.cli.main import run_verb

    sys.exit(run_verb("preprocess", prog="python src/data_preprocess/process_custom_data.py"))
