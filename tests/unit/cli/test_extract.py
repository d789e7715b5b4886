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


def test_files_are_named_below_the_folder_wherever_it_lies(checkpoint, speech, tmp_path):
    (speech / "anna").mkdir()
    (speech / "one.wav").rename(speech / "anna" / "one.wav")
    out = tmp_path / "states"
    ran(speech, "--model", checkpoint, "--layer", 2, "--out", out)
    found = {path.relative_to(out).as_posix() for path in out.rglob("*.safetensors")}
    assert found == {"layer-02/anna/one.wav.safetensors", "layer-02/two.wav.safetensors"}


@pytest.fixture
def manifest(speech, tmp_path):
    lines = ["path,language,split,gender"]
    for n, (language, split, gender) in enumerate(
        [
            ("en_us", "train", "female"),
            ("en_us", "test", "male"),
            ("de_de", "train", "male"),
            ("de_de", "dev", "female"),
            ("de_de", "train", "female"),
        ]
    ):
        samples = 0.1 * np.random.default_rng(n).standard_normal(4000 + 1600 * n)
        soundfile.write(tmp_path / f"{n}.wav", samples, 16_000)
        lines.append(f"{n}.wav,{language},{split},{gender}")
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    return f"folder:{tmp_path / 'list.csv'}"


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ([], "0 1 2 3 4"),
        (["--languages", "de_de"], "2 3 4"),
        (["--split", "train,dev"], "0 2 3 4"),
        (["--split", "train", "--gender", "female"], "0 4"),
        (["--min-seconds", "0.3", "--max-seconds", "0.6"], "1 2 3"),
        (["--languages", "all", "--hours", str(0.3 / 3600)], "0"),
        (["--split", "dev", "--split", "test", "--clips", "1"], "1 3"),
    ],
)
def test_a_part_of_a_corpus_is_chosen_as_for_a_run(manifest, tmp_path, options, kept):
    out = tmp_path / "states"
    ran(manifest, "--model", "logmel", "--layer", 0, "--out", out, *options)
    assert sorted(path.name[0] for path in out.rglob("*.safetensors")) == kept.split()


def test_clips_are_drawn_by_the_seed(manifest, tmp_path):
    drawn = set()
    for seed in range(8):
        out = tmp_path / f"states-{seed}"
        options = ("--languages", "de_de", "--split", "train", "--clips", 1, "--seed", seed)
        ran(manifest, "--model", "logmel", "--layer", 0, "--out", out, *options)
        drawn |= {path.name[0] for path in out.rglob("*.safetensors")}
    assert drawn == {"2", "4"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--languages", "en_us"], "no language is known of sound files"),
        (["--split", "test", "--gender", "male"], "no split or gender is known of sound files"),
        (["--min-seconds", "9"], "no clip lasts at least 9 s"),
    ],
)
def test_sound_files_are_not_chosen_by_what_they_do_not_have(speech, tmp_path, options, said):
    with pytest.raises(SpecError, match=said):
        ran(speech, "--model", "logmel", "--layer", 0, "--out", tmp_path / "states", *options)


def test_sound_files_are_chosen_by_number_and_length(speech, tmp_path):
    soundfile.write(speech / "long.wav", np.full(32_000, 0.1), 16_000)
    options = ("--max-seconds", 1, "--clips", 1)
    text = ran(speech, "--model", "logmel", "--layer", 0, "--out", tmp_path / "states", *options).stdout
    assert "1 file written" in text
    assert not list(tmp_path.rglob("long.wav.safetensors"))


def test_files_of_another_sound_that_are_replaced_are_told(speech, tmp_path):
    (speech / "two").mkdir()
    (speech / "two.wav").rename(speech / "two" / "one.wav")
    command = ("--model", "logmel", "--layer", 0, "--out", tmp_path / "states")
    assert "replaced" not in ran(speech / "one.wav", *command).stdout
    assert "1 file of another sound replaced" in ran(speech / "two" / "one.wav", *command).stdout


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
