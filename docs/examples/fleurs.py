"""A part of FLEURS chosen in Python, and a run in two parts that are merged."""

import tempfile
from pathlib import Path

from otoscope.corpora.fleurs import read_fleurs
from otoscope.corpora.selection import Selection, select
from otoscope.studies.pitch.answer import read_answer
from otoscope.studies.pitch.merge import merge_runs
from otoscope.studies.pitch.run import run_pitch
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.testing.fleurs import write_fleurs


def main(here):
    """Choose clips, run each half, merge, finish."""
    write_fleurs(here / "fleurs", languages=["en_us", "yo_ng", "zu_za"], n_sentences=(16, 6, 10))

    # run: begin
    corpus = read_fleurs(here / "fleurs", languages=["tonal", "en_us"])
    chosen = Selection(content_matched=True, gender_balanced=True, clips=8)
    print(f"{len(select(corpus, chosen).clips)} of {len(corpus.clips)} clips in {', '.join(corpus.languages)}")

    settings = PitchSettings(shard_clips=4)
    for k in (1, 2):
        part = run_pitch(corpus, ["logmel"], here / f"part{k}", settings, selection=chosen, part=(k, 2))
        print(f"part {k}: waiting for {', '.join(part.waiting)}")
    merge_runs([here / "part1", here / "part2"], here / "run")
    run_pitch(corpus, ["logmel"], here / "run", settings)

    for row in read_answer(here / "run")[0]:
        if (row["train"], row["target"], row["metric"]) == ("own", "log2_f0", "r2"):
            print(f"{row['test']}: {row['value']:.2f}")
    # run: end


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder))
