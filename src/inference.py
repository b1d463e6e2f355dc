"""`python src/inference.py [flags]` and `from src.inference import TalkVidInference`: a door to `talkvid`.

Paths are relative to the caller's folder. The package is loaded under its own name, never as `src.talkvid`.
"""

import sys

__all__ = ["TalkVidInference"]

if __name__ == "__main__":
    from talkvid.cli.main import run_verb

    sys.exit(run_verb("generate", prog="python src/inference.py"))
else:
    from talkvid import TalkVidInference
