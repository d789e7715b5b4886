"""A corpus of one's own, built in Python from file names."""

# ruff: noqa: T201

from pathlib import Path

from otoscope.corpora.base import SPLITS, Clip, Corpus
from otoscope.corpora.espeak import make_demo
from otoscope.corpora.files import AudioFile
from otoscope.studies.pitch.run import run_pitch
from otoscope.testing.corpora import check_corpus


# corpus: begin
def read_my_corpus(root: Path) -> Corpus:
    """Read ``root/SPLIT/SENTENCE-SPEAKER.wav``."""
    clips: list[Clip] = []
    for split in SPLITS:
        for path in sorted((root / split).glob("*.wav")):
            sentence, speaker = path.stem.split("-")
            clips.append(
                Clip(
                    clip_id=f"{split}/{path.stem}",
                    source=AudioFile(path, root=root),
                    language="en_us",
                    groups={"sentence": sentence, "speaker": speaker},
                    split=split,
                )
            )
    return Corpus("mine", tuple(clips), licence="CC BY 4.0", citation="me, this year")


# corpus: end

if __name__ == "__main__":
    make_demo(Path("speech"), languages=["en_us"])  # stands for your recordings

    # check: begin
    corpus = read_my_corpus(Path("speech/data/en_us/audio"))
    check_corpus(corpus)
    print(len(corpus.clips), "clips in", ", ".join(corpus.languages))
    # check: end

    # run: begin
    result = run_pitch(corpus, ["logmel", "mfcc"], Path("run"))
    print("resampled:", result.plan.cluster_key)
    # run: end
