"""What each scorer of curation costs beside decoding: CPU seconds of one process, clip by clip.

    python -m benchmarks.curate_budget VIDEO... [key=value ...]      settings as in `talkvid curate run`

Every clip is decoded once and all stages are finished (as with --score_all). Converting a picture to colours
counts for the stage that asks for it first; the scan, which comes before, is measured by `curate_cuts cost`.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

from talkvid.config import load_config
from talkvid.curation import shared_pass
from talkvid.curation.config import STAGES, CurateConfig, section
from talkvid.curation.scan import scan_video
from talkvid.curation.scoring import build_scorers
from talkvid.curation.sources import read_sources
from talkvid.media.video_window import FrameTables


def main() -> None:
    """Print seconds per clip and the share of each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("videos", nargs="+")
    words = parser.parse_args().videos
    settings = [word for word in words if "=" in word]
    config = load_config(CurateConfig, overrides=settings)
    scorers = build_scorers(config, STAGES)
    shared_pass.perf_counter = time.process_time  # type: ignore[attr-defined]  # CPU instead of wall seconds
    scan = section(config, "scan")
    pictures = shared_pass.file_pictures(FrameTables())
    total: defaultdict[str, float] = defaultdict(float)
    num_clips, length_s = 0, 0.0
    for word in words:
        if "=" in word:
            continue
        source = read_sources(Path(word))[0]
        for span in scan_video(source, scan).spans:
            viewing = shared_pass.view(span, scorers, pictures=pictures)
            for stage, look in list(viewing.looks.items()):
                with viewing.recorded(stage):
                    look.finish()
            for name, seconds in viewing.seconds.items():
                total[name] += seconds
            num_clips, length_s = num_clips + 1, length_s + float(span.duration_s)
    whole = sum(total.values())
    print(f"{num_clips} clips, {length_s:.0f} s of video")
    print("| part | CPU s per clip | CPU s per minute of video | share |")
    print("|---|---|---|---|")
    for name in ("decode", *STAGES):
        seconds = total[name]
        minute = 60 * seconds / length_s
        print(f"| {name} | {seconds / num_clips:.2f} | {minute:.1f} | {seconds / whole:.0%} |")


if __name__ == "__main__":
    main()
