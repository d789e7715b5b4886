"""A part of FLEURS chosen in Python, and a run in two parts that are merged."""

# ruff: noqa: T201

from pathlib import Path

from otoscope.corpora.fleurs import read_fleurs
from otoscope.corpora.selection import Selection, select
from otoscope.studies.pitch.answer import read_answer
from otoscope.studies.pitch.merge import merge_runs
from otoscope.studies.pitch.run import run_pitch
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.testing.fleurs import write_fleurs

if __name__ == "__main__":
    write_fleurs(Path("fleurs"), languages=["en_us", "yo_ng", "zu_za"], n_sentences=(16, 6, 10))

    # run: begin
    corpus = read_fleurs(Path("fleurs"), languages=["tonal", "en_us"])
    chosen = Selection(content_matched=True, gender_balanced=True, clips=8)
    print(f"{len(select(corpus, chosen).clips)} of {len(corpus.clips)} clips in {', '.join(corpus.languages)}")

    settings = PitchSettings(shard_clips=4)
    parts = [Path("part1"), Path("part2")]
    for k, out in enumerate(parts, start=1):
        part = run_pitch(corpus, ["logmel"], out, settings, selection=chosen, part=(k, 2))
        print(f"part {k}: waiting for {', '.join(part.waiting)}")
    merge_runs(parts, Path("run"))
    run_pitch(corpus, ["logmel"], Path("run"), settings)

    for row in read_answer(Path("run"))[0]:
        if (row["train"], row["target"], row["metric"]) == ("own", "log2_f0", "r2"):
            print(f"{row['test']}: {row['value']:.2f}")
    # run: end
