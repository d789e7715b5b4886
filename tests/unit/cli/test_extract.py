"""``otoscope extract``."""

import json

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from otoscope.cli.extract import extract
from otoscope.errors import SpecError
from otoscope.representations.registry import open_model
from otoscope.store import read_arrays
from otoscope.testing.checkpoints import write_checkpoint

program = typer.Typer()
program.command("extract")(extract)


@program.command("other")
def _other() -> None:
    """Stand beside it."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("hubert"), "hubert")


@pytest.fixture
def speech(tmp_path):
    (tmp_path / "speech").mkdir()
    for seed, name in enumerate(("one.wav", "two.wav")):
        samples = 0.1 * np.random.default_rng(seed).standard_normal(4000)
        soundfile.write(tmp_path / "speech" / name, samples, 16_000)
    return tmp_path / "speech"


def ran(*args, code=0):
    result = CliRunner().invoke(program, ["extract", *map(str, args)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_one_layer_of_a_checkpoint_comes_as_one_file_per_clip(checkpoint, speech, tmp_path):
    out = tmp_path / "states"
    text = ran(speech, "--model", checkpoint, "--layer", 2, "--out", out).stdout
    assert "2 files written" in text
    assert "16 dimensions, one state every 20 ms" in text
    model = open_model(str(checkpoint))
    from otoscope.audio import read_audio

    expected = list(model.layers(read_audio(speech / "one.wav")))[2]
    arrays, about = read_arrays(out / "layer-02" / "one.wav.safetensors")
    np.testing.assert_array_equal(arrays["states"], expected.states)
    assert about["layer"] == 2


def test_again_keeps_what_is_there(checkpoint, speech, tmp_path):
    command = (speech, "--model", checkpoint, "--layer", "1,2", "--layer", "3", "--out", tmp_path / "states")
    ran(*command)
    assert "0 files written, 6 files kept" in ran(*command).stdout


def test_the_summary_as_json(checkpoint, speech, tmp_path):
    (speech / "zero.wav").write_bytes(b"")
    result = ran(speech, "--model", checkpoint, "--layer", "all", "--out", tmp_path / "states", "--json", code=1)
    summary = json.loads(result.stdout)
    assert summary["layers"] == [0, 1, 2, 3]
    assert (summary["n_clips"], summary["n_written"], summary["n_kept"]) == (2, 8, 0)
    assert [failure["clip_id"] for failure in summary["failures"]] == ["zero.wav"]
    assert summary["model_digest"] == open_model(str(checkpoint)).info.digest


def test_failures_are_listed_with_exit_code_1(checkpoint, speech, tmp_path):
    (speech / "zero.wav").write_bytes(b"")
    result = ran(speech, "--model", checkpoint, "--layer", 1, "--out", tmp_path / "states", code=1)
    assert "1 clip was left out" in result.stderr
    assert "zero.wav [audio] the file is empty" in result.stderr
    assert "2 files written" in result.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"--layer": "9"}, "layer 9; choose from 0, 1, 2, 3, or all"),
        ({"--layer": ","}, "names nothing"),
        ({"--model": "hubrt"}, "no model is called 'hubrt'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(checkpoint, speech, tmp_path, change, said):
    options = {"--model": checkpoint, "--layer": "1", "--out": tmp_path / "states", **change}
    with pytest.raises(SpecError, match=said):
        ran(speech, *(word for pair in options.items() for word in pair))
    assert not (tmp_path / "states").exists()
