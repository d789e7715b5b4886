import json

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.predictors.registry import open_predictor
from otoscope.predictors.storing import FORMAT, load_predictor, save_predictor
from otoscope.store import read_arrays, write_arrays
from otoscope.testing.tables import planted_table

TABLE = planted_table(n_clips=24, n_features=6)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "p.safetensors"
    save_predictor(open_predictor("ridge").fit(*TABLE.part(range(24)), None, TABLE.views), path)
    return path


def rewritten(path, change):
    """Change the header as one would who knows the format, digest included."""
    arrays, about = read_arrays(path)
    change(arrays, about)
    write_arrays(path, arrays, about=about)


def test_the_file_holds_numbers_and_json_only(saved):
    raw = saved.read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    said = json.loads(header["__metadata__"]["otoscope"])
    assert said["format"] == FORMAT
    assert said["state"]["name"] == "ridge"
    assert said["state"]["feature_ids"] == list(TABLE.views.feature_ids)


def test_saving_twice_gives_the_same_bytes(saved, tmp_path):
    again = tmp_path / "again.safetensors"
    save_predictor(load_predictor(saved), again)
    assert again.read_bytes() == saved.read_bytes()


def test_every_byte_that_is_changed_is_noticed(saved):
    raw = saved.read_bytes()
    for place in [*range(0, len(raw), 97), len(raw) - 1]:
        broken = bytearray(raw)
        broken[place] ^= 1
        saved.write_bytes(bytes(broken))
        with pytest.raises(SpecError):
            load_predictor(saved)
    saved.write_bytes(raw)
    load_predictor(saved)


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x80\x04K\x01.", b"\xff" * 200])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=r"x\.safetensors"):
        load_predictor(path)


def test_a_file_that_is_missing_or_cut_short_is_refused(saved, tmp_path):
    with pytest.raises(SpecError, match="no such file"):
        load_predictor(tmp_path / "none.safetensors")
    saved.write_bytes(saved.read_bytes()[:-20])
    with pytest.raises(SpecError, match="damaged"):
        load_predictor(saved)


def test_arrays_that_are_no_predictor_are_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    write_arrays(path, {"a": np.zeros(3)}, about={"what": "moments"})
    with pytest.raises(SpecError, match="holds no predictor"):
        load_predictor(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays, about: about.update(format=FORMAT + 1), "update otoscope"),
        (lambda arrays, about: about["state"].update(kind="pickle"), "kind 'pickle'"),
        (lambda arrays, about: about["state"].pop("feature_ids"), "no whole predictor"),
        (lambda arrays, about: about["state"].update(aggregate="median"), "'median' is none of"),
        (lambda arrays, about: about["state"].update(regressor="forest"), "no whole predictor"),
        (lambda arrays, about: arrays.pop("preparation.mean"), "no array 'mean'"),
        (lambda arrays, about: arrays.pop("regressor.intercept"), "no whole predictor"),
        (lambda arrays, about: arrays.update({"preparation.scale": np.zeros(6)}), "not above 0"),
        (lambda arrays, about: arrays.update({"regressor.coefficients": np.zeros(5)}), "5 .* 6"),
        (lambda arrays, about: arrays.update({"regressor.coefficients": np.full(6, np.nan)}), "not finite"),
        (lambda arrays, about: about["state"].update(feature_ids=["a.b"]), "1.* 6"),
    ],
)
def test_a_header_or_array_that_cannot_be_is_refused_even_with_the_right_digest(saved, change, message):
    rewritten(saved, change)
    with pytest.raises(SpecError, match=message):
        load_predictor(saved)
