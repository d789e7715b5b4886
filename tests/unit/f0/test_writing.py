import csv
import io

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.f0.writing import COLUMNS, FORMATS, csv_of, pitch_tier_of, text_grid_of, write_track
from otoscope.store import read_table

INFO = TrackerInfo("made", "1", {})
DURATION = 0.12


def made(f0_hz, score=None):
    values = np.array(f0_hz, dtype=np.float64)
    times = 0.0125 + 0.02 * np.arange(values.size)
    return F0Track(times, values, ~np.isnan(values), INFO, "clip", None if score is None else np.array(score))


NAN = float("nan")
TRACK = made([NAN, 100.0, 110.25, NAN, 200.0], [0.0, 0.9, 0.8, NAN, 1.0])


def test_the_table_has_the_columns_that_others_build_on_and_empty_cells_where_there_is_nothing():
    rows = list(csv.DictReader(io.StringIO(csv_of(TRACK))))
    assert list(rows[0]) == ["time_s", "f0_hz", "voiced", "score"]
    assert [row["f0_hz"] for row in rows] == ["", "100.0000", "110.2500", "", "200.0000"]
    assert [row["voiced"] for row in rows] == ["false", "true", "true", "false", "true"]
    assert [row["score"] for row in rows] == ["0.0000", "0.9000", "0.8000", "", "1.0000"]
    assert [float(row["time_s"]) for row in rows] == pytest.approx(TRACK.times.tolist(), abs=1e-6)


def test_a_track_without_scores_has_empty_ones():
    assert csv_of(made([100.0])).splitlines()[1] == "0.012500,100.0000,true,"


@pytest.mark.parametrize("track", [TRACK, made([]), made([NAN, NAN]), made([100.0])])
def test_parquet_has_the_same_columns_and_types_whatever_the_track(tmp_path, track):
    import pyarrow.parquet as pq

    path = tmp_path / "track.parquet"
    write_track(track, path, kind="parquet", duration_s=DURATION)
    schema = pq.read_schema(path)
    assert {field.name: str(field.type).replace("double", "float64") for field in schema} == COLUMNS
    rows = read_table(path)
    assert [row["f0_hz"] for row in rows] == [None if np.isnan(hz) else hz for hz in track.f0_hz.tolist()]
    assert [row["time_s"] for row in rows] == track.times.tolist()


def test_every_format_is_written_and_another_is_refused(tmp_path):
    for kind, suffix in FORMATS.items():
        path = tmp_path / f"track{suffix}"
        write_track(TRACK, path, kind=kind, duration_s=DURATION)
        assert path.stat().st_size > 0
    with pytest.raises(SpecError, match="choose from csv, parquet"):
        write_track(TRACK, tmp_path / "x", kind="xls", duration_s=DURATION)


def test_praat_reads_the_pitch_tier_as_the_voiced_frames(tmp_path):
    parselmouth = pytest.importorskip("parselmouth")
    path = tmp_path / "track.PitchTier"
    path.write_text(pitch_tier_of(TRACK, DURATION), encoding="utf-8")
    tier = parselmouth.read(str(path))
    n = parselmouth.praat.call(tier, "Get number of points")
    got = [
        (
            parselmouth.praat.call(tier, "Get time from index", i),
            parselmouth.praat.call(tier, "Get value at index", i),
        )
        for i in range(1, n + 1)
    ]
    voiced = TRACK.voiced
    assert got == list(zip(TRACK.times[voiced].tolist(), TRACK.f0_hz[voiced].tolist(), strict=True))


def test_praat_reads_the_text_grid_as_stretches_of_voicing_that_fill_the_clip(tmp_path):
    parselmouth = pytest.importorskip("parselmouth")
    path = tmp_path / "track.TextGrid"
    path.write_text(text_grid_of(TRACK, DURATION), encoding="utf-8")
    grid = parselmouth.read(str(path))
    call = parselmouth.praat.call
    n = call(grid, "Get number of intervals", 1)
    labels = [call(grid, "Get label of interval", 1, i) for i in range(1, n + 1)]
    ends = [call(grid, "Get end time of interval", 1, i) for i in range(1, n + 1)]
    assert labels == ["U", "V", "U", "V"]
    assert ends == pytest.approx([0.0225, 0.0625, 0.0825, DURATION])


@pytest.mark.parametrize("track", [made([]), made([NAN]), made([100.0, 100.0])])
def test_a_clip_of_one_voicing_is_one_interval(track):
    text = text_grid_of(track, DURATION)
    assert text.count("text =") == 1
    assert f'text = "{"V" if track.voiced.any() else "U"}"' in text
