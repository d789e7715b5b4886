"""States as files: bit for bit those of the model, on its clock, made once."""

import csv
import json

import numpy as np
import pytest
import soundfile

from otoscope.errors import RunConflictError, SpecError
from otoscope.representations import extracting
from otoscope.representations.base import Layer, LayerInfo, ModelInfo
from otoscope.representations.extracting import choose_layers, extract_states, states_path
from otoscope.representations.filterbanks import LogMel
from otoscope.representations.gathering import gather_clips
from otoscope.representations.registry import open_model
from otoscope.store import read_arrays
from otoscope.testing.checkpoints import write_checkpoint

RATE = 16_000


class Counting:
    """Two layers of moving sums; counts what it computes, and declares a lag."""

    def __init__(self, name="counting", fails_on=()):
        grid = LogMel().info.layers[0].grid
        layers = tuple(LayerInfo(index, f"layer {index}", 3, grid, lag=80 * index) for index in range(3))
        self.info = ModelInfo(name, "model", "1", {}, RATE, layers, "MIT", "none")
        self.heard, self.computed, self.fails_on = [], [], fails_on

    def layers(self, waveform):
        from otoscope.errors import DataError

        self.heard.append(waveform.clip_id)
        if waveform.clip_id in self.fails_on:
            raise DataError(waveform.clip_id, "is not to its liking")
        n_frames = waveform.samples.size // 160
        for layer in self.info.layers:
            self.computed.append((waveform.clip_id, layer.index))
            level = np.add.reduceat(waveform.samples, 160 * np.arange(n_frames))
            states = np.outer(level, np.arange(1, 4) + layer.index).astype(np.float32)
            yield Layer(layer, states, waveform.clip_id)


def write(path, seconds=0.3, rate=RATE, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * rate)), rate)
    return path


@pytest.fixture
def speech(tmp_path):
    for seed, name in enumerate(("anna/one.wav", "anna/two.flac", "ben/one.wav")):
        write(tmp_path / "speech" / name, seed=seed)
    return tmp_path / "speech"


def run(sources, model, out, *words):
    return extract_states(gather_clips(sources), model, choose_layers(words, model.info), out)


def test_states_and_times_are_those_of_the_model_bit_for_bit(tmp_path, speech):
    write(speech / "anna/three.wav", rate=44_100)  # brought to the model's rate
    model = open_model(str(write_checkpoint(tmp_path / "hubert", "hubert")))
    result = run([speech], model, tmp_path / "out", "2", "all")
    assert (result.n_written, result.n_kept, result.failures) == (4 * 4, 0, ())
    for clip in gather_clips([speech]).clips:
        for layer in model.layers(clip.read(sample_rate=RATE)):
            arrays, about = read_arrays(states_path(tmp_path / "out", clip.clip_id, layer.info.index))
            np.testing.assert_array_equal(arrays["states"], layer.states)
            assert arrays["states"].dtype == np.float32
            np.testing.assert_array_equal(arrays["times_s"], layer.info.grid.centers(layer.n_frames))
            assert about["model_digest"] == model.info.digest
            assert about["layer_name"] == layer.info.name
            assert (about["hop"], about["receptive_field"], about["start"]) == (320, 400, 0)


def test_times_carry_the_lag(tmp_path, speech):
    model = Counting()
    run([speech / "ben/one.wav"], model, tmp_path / "out", "2")
    clip = gather_clips([speech / "ben/one.wav"]).clips[0]
    arrays, about = read_arrays(states_path(tmp_path / "out", clip.clip_id, 2))
    assert about["lag"] == 160
    centres = model.info.layers[2].grid.centers(len(arrays["states"]))
    np.testing.assert_allclose(arrays["times_s"], centres - 160 / RATE, atol=1e-12)


def test_what_is_there_is_kept_and_not_heard_again(tmp_path, speech):
    out = tmp_path / "out"
    first = run([speech], Counting(), out, "1")
    before = {row.file: ((out / row.file).stat().st_ino, (out / row.file).read_bytes()) for row in first.files}
    model = Counting()
    second = run([speech], model, out, "1")
    assert model.heard == []
    assert (second.n_written, second.n_kept) == (0, 3)
    assert second.files == first.files
    assert {
        row.file: ((out / row.file).stat().st_ino, (out / row.file).read_bytes()) for row in second.files
    } == before


def test_another_layer_is_added_and_only_what_is_needed_is_computed(tmp_path, speech):
    out = tmp_path / "out"
    run([speech], Counting(), out, "2")
    model = Counting()
    result = run([speech], model, out, "1", "2")
    assert {index for _, index in model.computed} == {0, 1}
    assert (result.n_written, result.n_kept) == (3, 3)
    with (out / "index.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6


def test_only_sound_that_changed_is_heard_again(tmp_path, speech):
    out = tmp_path / "out"
    run([speech], Counting(), out, "1")
    write(speech / "anna/one.wav", seed=99)
    model = Counting()
    run([speech], model, out, "1")
    assert model.heard == ["anna/one.wav"]


def test_a_file_that_was_cut_short_is_made_again(tmp_path, speech):
    out = tmp_path / "out"
    result = run([speech], Counting(), out, "1")
    path = out / result.files[0].file
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    model = Counting()
    again = run([speech], model, out, "1")
    assert (again.n_written, again.n_kept, model.heard) == (1, 2, ["anna/one.wav"])
    assert path.read_bytes() == whole


def test_a_folder_belongs_to_one_model(tmp_path, speech):
    out = tmp_path / "out"
    run([speech], Counting(), out, "1")
    with pytest.raises(
        RunConflictError, match=r"holds states of counting .* these would be of other .*another folder"
    ):
        run([speech], Counting("other"), out, "1")


def test_broken_clips_are_listed_and_the_rest_is_done(tmp_path, speech):
    (speech / "ben/broken.wav").write_bytes(b"RIFF")
    out = tmp_path / "out"
    result = run([speech], Counting(fails_on=("anna/two.flac",)), out, "1")
    assert [(failure.clip_id, failure.stage) for failure in result.failures] == [
        ("anna/two.flac", "model"),
        ("ben/broken.wav", "audio"),
    ]
    assert json.loads((out / "failures.json").read_text())[0]["reason"] == "is not to its liking"
    assert [row.clip_id for row in result.files] == ["anna/one.wav", "ben/one.wav"]


def test_the_index_says_what_stands_where(tmp_path, speech):
    out = tmp_path / "out"
    run([speech], Counting(), out, "1")
    with (out / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["clip_id"] for row in rows] == ["anna/one.wav", "anna/two.flac", "ben/one.wav"]
    for row in rows:
        arrays, _ = read_arrays(out / row["file"])
        assert arrays["states"].shape == (int(row["n_frames"]), int(row["dim"]))
        assert float(row["duration_s"]) == pytest.approx(0.3)


def test_an_interruption_leaves_an_index_of_what_was_made_and_whole_files(tmp_path, speech):
    out = tmp_path / "out"

    done = []

    def stop():
        done.append(None)
        if len(done) == 2:
            raise KeyboardInterrupt

    model = Counting()
    with pytest.raises(KeyboardInterrupt):
        extract_states(gather_clips([speech]), model, choose_layers(["1"], model.info), out, advance=stop)
    with (out / "index.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2
    assert not list(out.rglob(".part-*"))
    assert run([speech], Counting(), out, "1").n_kept == 2


def test_the_walk_ends_after_the_last_layer_that_is_wanted(tmp_path, speech, monkeypatch):
    model = open_model(str(write_checkpoint(tmp_path / "hubert", "hubert")))
    asked = []
    plain = type(model).layers
    monkeypatch.setattr(
        type(model), "layers", lambda self, clip, *, last=None: asked.append(last) or plain(self, clip, last=last)
    )
    run([speech / "ben/one.wav"], model, tmp_path / "out", "1")
    assert asked == [1]


def test_layers_are_chosen_by_index_in_the_order_of_the_model():
    info = Counting().info
    assert [layer.index for layer in choose_layers(["2", "0", "2"], info)] == [0, 2]
    assert [layer.index for layer in choose_layers(["all", "1"], info)] == [0, 1, 2]
    with pytest.raises(SpecError, match="layer 3; choose from 0, 1, 2, or all"):
        choose_layers(["1", "3"], info)


def test_different_clips_have_different_files(tmp_path):
    ids = [
        "a/b.wav",
        "a-b.wav",
        "a b.wav",
        "a/b.flac",
        "a/./b.wav",
        "../b.wav",
        "/b.wav",
        "é.wav",
        "#1.wav",
        "A/B.wav",
    ]
    paths = {states_path(tmp_path, clip_id, 6) for clip_id in ids}
    assert len(paths) == len(ids)
    assert all(path.resolve().is_relative_to(tmp_path.resolve() / "layer-06") for path in paths)
    assert not [part for path in paths for part in path.parts if part.startswith("-")]


def test_states_of_another_sound_of_the_same_name_are_counted_as_replaced(tmp_path, speech):
    out = tmp_path / "out"
    assert run([speech / "anna/one.wav"], Counting(), out, "1", "2").n_replaced == 0
    other = run([speech / "ben/one.wav"], Counting(), out, "1", "2")
    assert (other.n_written, other.n_kept, other.n_replaced) == (2, 0, 2)
    assert run([speech / "ben/one.wav"], Counting(), out, "1", "2").n_replaced == 0


def test_clips_are_decoded_ahead_but_not_all_at_once(speech, tmp_path):
    read = []

    class Source:
        def read(self, clip_id, *, sample_rate):
            from otoscope.audio import Waveform

            read.append(clip_id)
            return Waveform(np.ones(1600, dtype=np.float32), RATE, clip_id)

    from otoscope.corpora.base import Clip

    clips = [Clip(str(index), Source(), "und") for index in range(9)]
    coming = extracting._decoded(clips, RATE)
    assert [next(coming)[0].clip_id for _ in range(2)] == ["0", "1"]
    coming.close()
    assert len(read) <= 2 + extracting._AHEAD
