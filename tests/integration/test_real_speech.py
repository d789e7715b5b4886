"""Real speech, where it lies beside the checkout: ten speakers of LibriSpeech, two of FLEURS."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from otoscope.corpora.base import Clip, Corpus
from otoscope.corpora.files import AudioFile
from otoscope.f0.labels import LabelCache
from otoscope.studies.pitch.answer import read_answer
from otoscope.studies.pitch.run import run_pitch
from otoscope.studies.pitch.sweep import sweep_shifts

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
SPLITS = {"2414": "dev", "1998": "dev", "2033": "test", "3080": "test"}
UTTERANCES = 5  # of each speaker
MODELS = ["logmel", "mfcc", "ge2e", "untrained:ge2e#0"]
MAX_SHIFT_MS = 10.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.shared,
    pytest.mark.skipif(not (DATA / "librispeech").is_dir(), reason="no speech beside the checkout"),
    pytest.mark.skipif(find_spec("resemblyzer") is None, reason="the weights of ge2e are not installed"),
]


@pytest.fixture(scope="module")
def corpus():
    clips = []
    for speaker in sorted(p for p in (DATA / "librispeech").iterdir() if p.is_dir()):
        for path in sorted(speaker.glob("*.flac"))[:UTTERANCES]:
            groups = {"speaker": speaker.name, "sentence": path.stem}
            clips.append(Clip(path.stem, AudioFile(path), "en_us", groups, SPLITS.get(speaker.name, "train")))
    for path in sorted((DATA / "fleurs").glob("*.wav")):
        language = path.stem.rpartition("_")[0]
        # They read one sentence: both are tested, and neither is trained on.
        groups = {"speaker": path.stem, "sentence": "winter"}
        clips.append(Clip(path.stem, AudioFile(path), f"{language}_fleurs", groups, "test"))
    return Corpus("real speech", tuple(clips), "CC-BY-4.0", "Panayotov et al. 2015; Conneau et al. 2022")


def test_ge2e_holds_more_pitch_of_real_voices_than_filterbanks_and_than_its_untrained_copy(corpus, tmp_path):
    assert not run_pitch(corpus, MODELS, tmp_path / "run", labels=LabelCache(tmp_path)).failures
    rows, answer = read_answer(tmp_path / "run")

    def r(model, layer, role, test):
        wanted = (model, layer, role, test, "log2_f0", "within_r")
        names = ("model", "layer", "train", "test", "target", "metric")
        (row,) = [row for row in rows if tuple(row[name] for name in names) == wanted]
        return row["value"]

    layers = [r("ge2e", layer, "own", "en_us") for layer in range(4)]
    assert max(layers) == layers[2] > 0.5
    for test, role in (("en_us", "own"), ("en_us_fleurs", "lolo"), ("cmn_hans_cn_fleurs", "lolo")):
        others = [r("logmel", 0, role, test), r("mfcc", 0, role, test), r("untrained:ge2e#0", 2, role, test)]
        assert r("ge2e", 2, role, test) > max(others)
    against = {
        row["against"]: row["low"]
        for row in answer["contrasts"]
        if (row["model"], row["layer"], row["train"], row["metric"]) == ("ge2e", 2, "own", "within_r")
    }
    assert against["baseline"] > 0
    assert against["untrained"] > 0


def test_declared_lags_put_the_peak_of_every_layer_near_no_shift(corpus):
    rows, failures = sweep_shifts(corpus, ["ge2e"], shifts_ms=(-30, -20, -10, 0, 10, 20, 30))
    assert not failures
    best = {row["layer"]: row["best_shift_ms"] for row in rows}
    assert all(abs(best[layer]) <= MAX_SHIFT_MS for layer in (1, 2))
