import functools
import importlib.util
import json
import subprocess
import sys
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile

from otoscope.corpora import espeak, layout, sentences
from otoscope.corpora.base import SPLITS
from otoscope.corpora.espeak import SUPPORTED, make_demo, read_espeak
from otoscope.corpora.espeak_plan import Voice, readings_of, sentence_split, voices_of
from otoscope.corpora.languages import REGIONS, languages
from otoscope.errors import MissingExtraError, SpecError
from otoscope.testing.corpora import check_corpus

SEEDS = range(5)
TONE_HZ = (75, 350)  # where the median F0 of a clip lies
TOL_MONOTONE = 0.05  # of the median: how far half of the frames of a monotone voice are from it at most

needs_espeak = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("espeakng_loader", "gflanguages")),
    reason="the extra otoscope[demo] is not installed",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("demo") / "speech", languages=["en_us", "vi_vn"])


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def median_f0_hz(samples, rate=16_000):
    """The median of plain autocorrelation pitch over the frames that are clearly periodic."""
    found = []
    for start in range(0, samples.size - 800, 400):
        frame = samples[start : start + 800] - samples[start : start + 800].mean()
        power = np.correlate(frame, frame, "full")[799:]
        unbiased = power / np.arange(800, 0, -1)
        lags = np.arange(rate // 400, rate // 60)
        best = lags[np.argmax(unbiased[lags])]
        if power[0] > 1e-2 and unbiased[best] > 0.7 * unbiased[0]:
            early = lags[unbiased[lags] > 0.9 * unbiased[best]]  # the first of equal peaks, against octave errors
            found.append(rate / early[0])
    return float(np.median(found)), np.array(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_voices_are_in_one_split_each_and_of_both_genders(seed):
    voices = voices_of(seed)
    assert {split: len(voices[split]) for split in SPLITS} == {"train": 8, "dev": 4, "test": 8}
    names = [voice.name for split in SPLITS for voice in voices[split]]
    assert len(set(names)) == 20
    for split in SPLITS:
        genders = Counter(voice.gender for voice in voices[split])
        assert genders["FEMALE"] == genders["MALE"]


@pytest.mark.parametrize("seed", SEEDS)
def test_any_twenty_sentences_hold_eight_for_the_test(seed):
    for n in (20, 25, 30):
        counts = Counter(sentence_split(index, seed) for index in range(n))
        assert counts == {"train": 2 * n // 5, "dev": n // 5, "test": 2 * n // 5}


def test_another_seed_gives_other_splits_and_other_voices():
    splits = {tuple(sentence_split(index, seed) for index in range(30)) for seed in SEEDS}
    test_voices = {tuple(sorted(voice.name for voice in voices_of(seed)["test"])) for seed in SEEDS}
    assert len(splits) == len(test_voices) == len(SEEDS)
    assert voices_of(0) != voices_of(1)


def test_readings_keep_sentences_and_voices_in_their_split():
    texts = [f"text {i}" for i in range(30)]
    for code in ("en_us", "vi_vn"):
        readings = list(readings_of(code, texts, 0))
        for reading in readings:
            assert reading.split == sentence_split(reading.index, 0)
            assert reading.voice in voices_of(0)[reading.split]
            assert reading.text == texts[reading.index]
        spoken = Counter(reading.index for reading in readings)
        assert Counter(spoken[i] for i in range(30) if sentence_split(i, 0) == "train") == {1: 6, 2: 6}
        assert all(spoken[i] == 1 for i in range(30) if sentence_split(i, 0) != "train")
        turns = Counter(reading.voice.name for reading in readings)
        assert len(turns) == 20
        assert max(turns.values()) <= 3
        assert len({reading.file_name for reading in readings}) == len(readings)


def test_languages_say_sentences_by_other_voices():
    texts = [f"text {i}" for i in range(30)]
    said = [[reading.voice.name for reading in readings_of(code, texts, 0)] for code in ("en_us", "vi_vn", "tr_tr")]
    assert all(one != other for one, other in combinations(said, 2))


def test_the_first_twelve_languages_stand_for_all_regions_and_tone_types():
    first = [languages()[code] for code in list(SUPPORTED)[:12]]
    assert first[0].code == "en_us"
    assert {language.region for language in first} == set(REGIONS)
    assert Counter(language.tone_type for language in first) == {"none": 6, "tonal": 3, "pitch_accent": 3}
    twenty_four = Counter(languages()[code].region for code in list(SUPPORTED)[:24])
    assert min(twenty_four.values()) >= 2
    assert set(SUPPORTED) <= set(languages())


@needs_espeak
def test_the_corpus_keeps_the_contract_in_all_languages_at_once(demo):
    assert demo.made
    assert demo.corpus.languages == ("en_us", "vi_vn")
    assert demo.corpus.failures == ()
    check_corpus(demo.corpus, across_languages=True)


@needs_espeak
def test_every_language_has_eight_test_sentences_and_both_genders(demo):
    for code in demo.corpus.languages:
        clips = [clip for clip in demo.corpus.clips if clip.language == code]
        test_sentences = {clip.groups["sentence"] for clip in clips if clip.split == "test"}
        assert len(test_sentences) >= 8
        for split in SPLITS:
            assert {clip.gender for clip in clips if clip.split == split} == {"female", "male"}


@needs_espeak
def test_no_text_is_said_in_two_splits(demo):
    for code in demo.corpus.languages:
        texts = {}
        for clip in demo.corpus.clips:
            if clip.language == code:
                assert clip.text
                texts.setdefault(layout.normalise_text(clip.text), set()).add(clip.split)
        assert all(len(splits) == 1 for splits in texts.values())


@needs_espeak
def test_the_speech_is_of_a_sane_length_level_and_pitch(demo):
    for clip in demo.corpus.clips:
        waveform = clip.read(sample_rate=None)
        assert waveform.sample_rate == 16_000
        assert 1.2 < waveform.duration_s < 9.0
        assert 0.15 < np.abs(waveform.samples).max() < 1.0
        assert soundfile.info(clip.source.path).subtype == "PCM_16"
        letters_per_s = sum(c.isalpha() for c in clip.text) / waveform.duration_s
        assert 6 < letters_per_s < 25
        assert TONE_HZ[0] < median_f0_hz(waveform.samples)[0] < TONE_HZ[1]


@needs_espeak
def test_female_voices_are_higher_than_male_ones(demo):
    by_gender = {"female": [], "male": []}
    for clip in demo.corpus.clips:
        if clip.language == "en_us":
            by_gender[clip.gender].append(median_f0_hz(clip.read(sample_rate=None).samples)[0])
    assert np.median(by_gender["female"]) > 1.4 * np.median(by_gender["male"])


@needs_espeak
def test_the_layout_is_that_of_fleurs(demo):
    rows, failures = layout.read_rows(layout.table_path(demo.folder, "vi_vn", "test"))
    assert failures == ()
    for row in rows:
        path = layout.audio_path(demo.folder, "vi_vn", "test", row.file_name)
        assert soundfile.info(path).frames == row.n_samples
        assert row.file_name.startswith(f"s{row.sentence:02d}-")
    voices = dict(line.split("\t") for line in (demo.folder / "data/vi_vn/voices.tsv").read_text().splitlines())
    assert {row.file_name for row in rows} <= set(voices)


@needs_espeak
def test_the_folder_says_how_it_was_made(demo):
    about = json.loads((demo.folder / "otoscope-demo.json").read_text())
    assert (about["schema"], about["seed"], about["languages"]) == (1, 0, ["en_us", "vi_vn"])
    assert set(about["versions"]) == {"otoscope", "espeak-ng", "espeakng-loader", "gflanguages"}
    assert about["versions"]["espeak-ng"][0].isdigit()
    assert about["voices"]["test"] == [voice.describe() for voice in voices_of(0)["test"]]
    for clip in demo.corpus.clips:
        assert clip.groups["sentence"] in about["sentences"][clip.split]
        assert clip.groups["voice"] in {voice["name"] for voice in about["voices"][clip.split]}


@needs_espeak
def test_a_language_alone_has_the_bytes_that_it_has_beside_others(demo, tmp_path):
    make_demo(tmp_path / "alone", languages=["vi_vn"])
    alone = content(tmp_path / "alone" / "data" / "vi_vn")
    assert alone == content(demo.folder / "data" / "vi_vn")
    assert len(alone) > 25


@needs_espeak
def test_the_time_of_day_does_not_change_the_sound():
    """Breath is noise, which the library draws from the second in which it was started, unless it is told."""
    request = ("All human beings are born free and equal.", "en-us", Voice("f3", "FEMALE", 50, 50, 165))
    library = espeak._library()
    (first,), _ = espeak._speak([request], library)
    time.sleep(1.1)
    (second,), _ = espeak._speak([request], library)
    np.testing.assert_array_equal(first, second)


@needs_espeak
def test_another_seed_gives_other_sound(demo, tmp_path):
    other = make_demo(tmp_path / "other", languages=["vi_vn"], seed=1)
    splits = [
        {clip.groups["sentence"]: clip.split for clip in corpus.clips if clip.language == "vi_vn"}
        for corpus in (demo.corpus, other.corpus)
    ]
    assert splits[0] != splits[1]
    digests = [
        {clip.read(sample_rate=None).digest() for clip in corpus.clips} for corpus in (demo.corpus, other.corpus)
    ]
    assert not digests[0] & digests[1]


@needs_espeak
def test_what_is_there_already_is_not_made_again(demo, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "run", refuse)
    again = make_demo(demo.folder, languages=("vi_vn", "en_us"))
    assert not again.made
    assert again.corpus == demo.corpus


@needs_espeak
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"seed": 1, "languages": ["en_us", "vi_vn"]},
            "is a demo corpus with seed 0, wanted is 1; name another folder",
        ),
        ({"languages": ["en_us"]}, "with languages en_us, vi_vn, wanted is en_us;"),
    ],
)
def test_a_corpus_with_other_settings_is_left_alone(demo, settings, reason):
    before = content(demo.folder)
    with pytest.raises(SpecError, match=reason):
        make_demo(demo.folder, **settings)
    assert content(demo.folder) == before


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("my only copy")
    with pytest.raises(SpecError, match="was not made by make_demo; name another folder"):
        make_demo(tmp_path, languages=1)
    assert content(tmp_path) == {"thesis.txt": b"my only copy"}
    with pytest.raises(SpecError, match="was not made by make_demo"):
        make_demo(tmp_path / "thesis.txt", languages=1)


@needs_espeak
def test_an_empty_folder_is_filled_and_nothing_else_is_left(tmp_path):
    (tmp_path / "empty").mkdir()
    calls = []
    demo = make_demo(tmp_path / "empty", languages=1, progress=lambda *call: calls.append(call))
    assert demo.corpus.languages == ("en_us",)
    assert calls == [(1, 1, "en_us")]
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@needs_espeak
def test_an_interrupted_making_leaves_nothing(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo(tmp_path / "speech", languages=1, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (["xh_za", "en_us"], "cannot speak xh_za; choose from en_us, cmn_hans_cn"),
        ([], "cannot speak no language at all"),
        (0, "0 languages are wanted; from 1 to"),
        (1_000, "1000 languages are wanted"),
    ],
)
def test_languages_that_cannot_be_spoken_are_refused(tmp_path, wanted, reason):
    with pytest.raises(SpecError, match=reason):
        make_demo(tmp_path / "speech", languages=wanted)
    assert not (tmp_path / "speech").exists()


@pytest.mark.parametrize(
    ("module", "package"), [("espeakng_loader", "espeakng-loader"), ("gflanguages", "gflanguages")]
)
def test_a_missing_extra_is_said_before_any_work(tmp_path, monkeypatch, module, package):
    def find(name, find_spec=importlib.util.find_spec):
        return None if name == module else find_spec(name)

    if module == "gflanguages" and importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("the other package is missing in truth")
    monkeypatch.setattr(sentences.importlib.util, "find_spec", find)
    with pytest.raises(MissingExtraError, match=rf"{package} is not installed; .*otoscope\[demo\]"):
        make_demo(tmp_path / "speech", languages=1)
    assert list(tmp_path.iterdir()) == []


@needs_espeak
def test_a_text_that_is_too_short_is_refused_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(espeak, "read_passages", lambda _: ("All human beings are born free.", "They have reason."))
    with pytest.raises(SpecError, match=r"en_us: the text gives [01] sentences; at least 20 are needed"):
        make_demo(tmp_path / "speech", languages=1)
    assert list(tmp_path.iterdir()) == []


@functools.cache
def spoken(*requests):
    library = espeak._library()
    return espeak._speak(requests, library)[0]


@needs_espeak
def test_a_monotone_voice_says_one_pitch():
    flat = Voice("m3", "MALE", pitch=50, pitch_range=0, rate=165)
    (samples,) = spoken(("All human beings are born free.", "en-us", flat))
    median_hz, each_hz = median_f0_hz(samples / 2**15)
    assert TONE_HZ[0] < median_hz < 150
    assert np.quantile(np.abs(each_hz / median_hz - 1), 0.5) < TOL_MONOTONE


@needs_espeak
def test_a_higher_pitch_is_a_higher_voice_and_a_faster_rate_a_shorter_clip():
    voices = [Voice("f1", "FEMALE", pitch, 40, rate) for pitch, rate in ((30, 165), (70, 165), (30, 250))]
    text = "All human beings are born free and equal."
    low, high, fast = (spoken((text, "en-us", voice))[0] for voice in voices)
    assert median_f0_hz(high / 2**15)[0] > 1.2 * median_f0_hz(low / 2**15)[0]
    assert fast.size < 0.8 * low.size


@needs_espeak
@pytest.mark.parametrize(
    ("request_", "reason"),
    [(("text", "xx-nowhere", voices_of(0)["dev"][0]), "has no voice xx-nowhere")],
)
def test_a_failure_of_the_library_is_said(request_, reason):
    with pytest.raises(SpecError, match=reason):
        spoken(request_)


@needs_espeak
def test_data_that_are_not_there_are_said(tmp_path):
    with pytest.raises(SpecError, match=r"espeak-ng failed \(status"):
        espeak._speak([("text", "en-us", espeak.REFERENCE)], (espeak._library()[0], tmp_path))


def test_the_library_is_not_loaded_by_importing_or_reading():
    code = (
        "import sys, otoscope.corpora.espeak; "
        "assert not {'espeakng_loader', 'gflanguages', 'soundfile', 'soxr', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_espeak
def test_lost_files_and_bad_lines_are_failures_and_the_rest_is_read(tmp_path):
    corpus = make_demo(tmp_path / "speech", languages=1).corpus
    lost = next(clip for clip in corpus.clips if clip.split == "test")
    lost.source.path.unlink()
    table = tmp_path / "speech/data/en_us/dev.tsv"
    table.write_bytes(b"nonsense\n" + table.read_bytes())
    names = tmp_path / "speech/data/en_us/voices.tsv"
    nameless = next(clip for clip in corpus.clips if clip.split == "train")
    kept = [line for line in names.read_text().splitlines(keepends=True) if nameless.source.path.name not in line]
    names.write_text("".join(kept))
    read = read_espeak(tmp_path / "speech")
    assert len(read.clips) == len(corpus.clips) - 2
    assert {failure.clip_id: failure.reason for failure in read.failures} == {
        nameless.clip_id: "voices.tsv does not say whose voice it is",
        "en_us/dev.tsv line 1": "has 1 column; 7 between tabs are needed",
        lost.clip_id: f"there is no file {lost.source.path}",
    }
    (tmp_path / "speech/data/en_us/test.tsv").unlink()
    failures = read_espeak(tmp_path / "speech").failures
    assert ("en_us/test.tsv", "the table is gone; make the corpus again") in {(f.clip_id, f.reason) for f in failures}


def test_a_folder_without_the_corpus_is_refused(tmp_path):
    with pytest.raises(SpecError, match="make one with: otoscope corpus make-demo"):
        read_espeak(tmp_path)
    (tmp_path / "otoscope-demo.json").write_text('{"schema": 99}')
    with pytest.raises(SpecError, match="has schema 99, this version reads 1"):
        read_espeak(tmp_path)
    (tmp_path / "otoscope-demo.json").write_text('{"schema": 1}')
    with pytest.raises(SpecError, match=r"no clip can be used \(0 failures\)"):
        read_espeak(tmp_path)


@needs_espeak
@pytest.mark.slow
def test_every_supported_language_is_really_spoken(tmp_path):
    corpus = make_demo(tmp_path / "all", languages=len(SUPPORTED)).corpus
    assert corpus.failures == ()
    assert set(corpus.languages) == set(SUPPORTED)
    for code in SUPPORTED:
        clips = [clip for clip in corpus.clips if clip.language == code]
        assert len({clip.groups["sentence"] for clip in clips if clip.split == "test"}) >= 8
        waveforms = [clip.read(sample_rate=None) for clip in clips]
        seconds = sum(waveform.duration_s for waveform in waveforms)
        assert 40 < seconds < 180
        letters = sum(c.isalnum() for clip in clips for c in clip.text)
        assert 3 < letters / seconds < 25
        assert all(np.abs(waveform.samples).max() > 0.15 for waveform in waveforms)


def test_the_process_runs_without_otoscope():
    script = Path(espeak.__file__).with_name("espeak_process.py")
    assert "otoscope" not in "".join(
        line for line in script.read_text().splitlines() if line.startswith(("import ", "from "))
    )
