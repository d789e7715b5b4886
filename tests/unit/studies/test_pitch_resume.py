"""A run that is interrupted, extended or given other sound ends where an uninterrupted one ends, or says why not."""

import os
from dataclasses import dataclass, replace

import numpy as np
import pytest
import soundfile

from otoscope.corpora.base import Clip, Corpus
from otoscope.corpora.files import AudioFile
from otoscope.errors import LeakageError, SpecError
from otoscope.f0.labels import LabelCache
from otoscope.representations.registry import MODELS as REGISTRY
from otoscope.representations.registry import ModelEntry
from otoscope.store import read_json
from otoscope.studies.pitch import shards as shards_module
from otoscope.studies.pitch.answer import read_answer
from otoscope.studies.pitch.matrix import matrix_rows
from otoscope.studies.pitch.plan import make_plan
from otoscope.studies.pitch.run import run_pitch
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.testing.planted import PlantedModel, PlantedTracker, planted_corpus
from otoscope.testing.signals import speechlike

A, B = PlantedModel(name="planted"), PlantedModel(name="weak", strengths=(6.0,), kind="baseline")
SETTINGS = PitchSettings(n_resamples=50, shard_clips=4)


class Power(Exception):
    """Goes off."""


class GoesOff:
    """Progress that raises after a number of pieces."""

    def __init__(self, after):
        self.left = after

    def begin(self, what, total):
        pass

    def advance(self):
        self.left -= 1
        if self.left < 0:
            raise Power


def run(out, corpus, models, progress=None):
    labels = LabelCache(out.parent / "labels")
    options = {"languages": ["all"], "tracker": PlantedTracker(), "labels": labels, "progress": progress}
    result = run_pitch(corpus, models, out, SETTINGS, **options)
    return result


def contents(folder):
    kept = (p for p in folder.rglob("*") if p.is_file() and "journal" not in p.parts)
    return {str(p.relative_to(folder)): p.read_bytes() for p in kept}


@pytest.fixture(autouse=True)
def _names(monkeypatch):
    for model in (A, B):
        monkeypatch.setitem(REGISTRY, model.name, ModelEntry(lambda m=model, **_: m, {}, "planted"))


@pytest.mark.parametrize("after", [0, 5, 17, 40, 70, 95, 117, 130])
def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path, after):
    corpus = planted_corpus(languages=("en_us", "cmn_hans_cn"))
    run(tmp_path / "whole", corpus, [A, B])
    with pytest.raises(Power):
        run(tmp_path / "cut", corpus, [A, B], GoesOff(after))
    run(tmp_path / "cut", corpus, [A, B])
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_an_interrupted_extension_never_gives_a_mixed_answer(tmp_path):
    corpus = planted_corpus(languages=("en_us", "cmn_hans_cn", "de_de"))
    out = tmp_path / "run"
    run(out, corpus.only(["en_us", "cmn_hans_cn"]), [A, B])
    shifts = {p: p.read_bytes() for p in (out / "shifts").iterdir()}
    with pytest.raises(Power):
        run(out, corpus, [A, B], GoesOff(60))
    with pytest.raises(SpecError, match="not finished: planted, weak; run the same command again"):
        read_answer(out)
    with pytest.raises(SpecError, match="not finished"):
        matrix_rows(out)
    run(out, corpus, [A])  # the other model is done anew all the same
    run(tmp_path / "clean", corpus, [A, B])
    rows, other = (read_answer(folder)[0] for folder in (out, tmp_path / "clean"))
    assert {p: p.read_bytes() for p in (out / "shifts").iterdir()} == shifts
    assert len(rows) == len(other)
    for one, two in zip(rows, other, strict=True):
        assert (one["model"], one["metric"], one["test"]) == (two["model"], two["metric"], two["test"])
        if one["value"] is None:
            assert two["value"] is None
        else:
            assert one["value"] == pytest.approx(two["value"], abs=1e-7)
    assert len(matrix_rows(out)) == len(matrix_rows(tmp_path / "clean"))


def test_failures_of_models_that_were_not_named_again_stay(tmp_path):
    corpus = planted_corpus(languages=("en_us", "cmn_hans_cn"))
    bad = PlantedModel(name="bad", fails_on=("en_us/001",))
    assert len(run(tmp_path / "run", corpus, [A, bad]).failures) == 1
    assert len(run(tmp_path / "run", corpus, [A]).failures) == 1
    assert [f["clip"] for f in read_json(tmp_path / "run" / "failures.json")] == ["en_us/001"]


def test_another_coding_of_tone_types_changes_the_pools_of_a_run_that_stands(tmp_path, monkeypatch):
    corpus = planted_corpus()
    run(tmp_path / "run", corpus, [A])
    table = {"en_us": "none", "de_de": "tonal", "cmn_hans_cn": "none", "yue_hant_hk": "tonal"}
    from otoscope.corpora.languages import language

    def recoded(code):
        entry = language(code)
        return entry and replace(entry, tone_type=table[code])

    monkeypatch.setattr("otoscope.studies.pitch.plan.language", recoded)
    run(tmp_path / "run", corpus, [A])
    run(tmp_path / "fresh", corpus, [A])
    tones = [[r["value"] for r in read_answer(tmp_path / n)[0] if r["train"] == "tone"] for n in ("run", "fresh")]
    assert tones[0] == tones[1]


@dataclass
class Counting:
    """Log-mel that counts how often it listens."""

    heard: int = 0

    def __post_init__(self):
        from otoscope.representations.registry import open_model

        self.inner = open_model("logmel:bands=20")
        self.info = self.inner.info

    def layers(self, waveform):
        self.heard += 1
        return self.inner.layers(waveform)


@pytest.fixture
def recordings(tmp_path):
    clips = []
    for i in range(24):
        waveform, _, _ = speechlike(i, duration_s=2.0)
        path = tmp_path / "sound" / f"{i}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, waveform.samples, 16_000, subtype="FLOAT")
        split = ("train", "dev", "test")[i % 3]
        clips.append(Clip(f"{i}", AudioFile(path), "en_us", {"sentence": f"s{i}"}, split))
    return tmp_path / "sound", Corpus("recordings", tuple(clips), "none", "none")


def test_replaced_sound_is_noticed_and_a_copied_folder_is_not_done_again(tmp_path, recordings):
    folder, corpus = recordings
    model = Counting()

    def again():
        run_pitch(corpus, [model], tmp_path / "run", SETTINGS, labels=LabelCache(tmp_path / "labels"))
        values = [r["value"] for r in read_answer(tmp_path / "run")[0] if r["target"] == "log2_f0"]
        heard, model.heard = model.heard, 0
        return values, heard

    first, heard = again()
    assert heard == 24 + 8  # and the training clips once more for the shift vector
    assert again() == (first, 0)
    for path in folder.iterdir():
        os.utime(path, ns=(1, 1))  # as copying does: another time, the same sound
    assert again() == (first, 0)
    waveform, _, _ = speechlike(99, duration_s=2.0)
    soundfile.write(folder / "0.wav", waveform.samples, 16_000, subtype="FLOAT")
    second, heard = again()
    assert second != first
    assert heard == 8 + 8  # the training split, and the test split under the new probes
    (folder / "3.wav").write_bytes(b"")
    result = run_pitch(corpus, [model], tmp_path / "run", SETTINGS, labels=LabelCache(tmp_path / "labels"))
    assert [f.clip_id for f in result.failures] == ["3"]
    soundfile.write(folder / "3.wav", speechlike(3, duration_s=2.0)[0].samples, 16_000, subtype="FLOAT")
    result = run_pitch(corpus, [model], tmp_path / "run", SETTINGS, labels=LabelCache(tmp_path / "labels"))
    assert result.failures == []


def test_nothing_but_folded_files_is_left(tmp_path):
    run(tmp_path / "run", planted_corpus(languages=("en_us", "cmn_hans_cn")), [A])
    for room in ("cells", "test"):
        inside = list((tmp_path / "run" / room / "planted").iterdir())
        assert inside
        assert all(p.suffix == ".safetensors" for p in inside)


def test_a_full_disk_is_a_clear_stop_and_loses_nothing(tmp_path, monkeypatch):
    corpus = planted_corpus(languages=("en_us", "cmn_hans_cn"))
    left = [7]
    whole = shards_module.write_cells

    def write(*args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        whole(*args, **kwargs)

    monkeypatch.setattr(shards_module, "write_cells", write)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path / "cut", corpus, [A])
    monkeypatch.setattr(shards_module, "write_cells", whole)
    run(tmp_path / "cut", corpus, [A])
    run(tmp_path / "whole", corpus, [A])
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_speakers_may_not_cross_the_split_between_languages_and_sentences_are_reported():
    clips = planted_corpus(languages=("en_us", "de_de")).clips
    crossing = tuple(
        replace(c, groups={**c.groups, "voice": "traveller"})
        if (c.language, c.split) in (("en_us", "train"), ("de_de", "test"))
        else c
        for c in clips
    )
    with pytest.raises(LeakageError, match=r"voice .traveller. is in .* name them apart"):
        make_plan(Corpus("x", crossing), PitchSettings())
    swapped = tuple(
        replace(c, groups={**c.groups, "sentence": f"s{31 - int(c.groups['sentence'][1:]):03d}"})
        if c.language == "de_de"
        else c
        for c in clips
    )
    notes = make_plan(Corpus("x", swapped), PitchSettings()).notes
    assert any("sentences are trained on in one language and tested in another" in note for note in notes)


def test_what_an_interval_holds_fixed_is_said():
    notes = make_plan(planted_corpus(), PitchSettings()).notes
    assert any("the 2 values of voice in the test clips are held as they are" in note for note in notes)


def test_a_mean_says_over_how_many_languages_it_is(tmp_path):
    clips = [c for c in planted_corpus().clips if c.language != "yue_hant_hk" or c.split == "test"]
    run(tmp_path / "run", Corpus("planted", tuple(clips), "none", "none"), [A])
    rows = [r for r in read_answer(tmp_path / "run")[0] if r["test"] == "mean" and r["metric"] == "r2"]
    n = {r["train"]: r["n_languages"] for r in rows if r["target"] == "log2_f0" and r["layer"] == 1}
    assert (n["own"], n["lolo"]) == (3, 4)
    assert np.all([r["control_shift"] is not None for r in rows if r["value"] is not None])


def test_a_run_that_could_hear_nothing_leaves_its_folder_free(tmp_path):
    corpus = planted_corpus(languages=("en_us", "cmn_hans_cn"))
    deaf = PlantedModel(name="deaf", strengths=(1.0,), fails_on=tuple(clip.clip_id for clip in corpus.clips))
    with pytest.raises(SpecError, match="none of the 32 training clips could be used"):
        run(tmp_path / "run", corpus, [A, deaf])
    assert not (tmp_path / "run").exists()
    run(tmp_path / "run", corpus.only(["en_us"]), [A])
    with pytest.raises(SpecError, match="none of the"):
        run(tmp_path / "run", corpus.only(["en_us"]), [deaf])
    assert list(read_json(tmp_path / "run" / "run.json")["models"]) == ["planted"]
    assert read_answer(tmp_path / "run")[0]  # what stood can be read
