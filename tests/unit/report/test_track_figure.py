"""F0 tracks over a spectrogram: what is drawn, and that it is the same every time."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from otoscope.audio import Waveform
from otoscope.errors import SpecError
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.report.track_figure import draw_track, spectrogram
from otoscope.testing.signals import chirp, silence, tone

SVG = "{http://www.w3.org/2000/svg}"


def track(times, f0_hz, name="mine"):
    f0_hz = np.asarray(f0_hz, dtype=np.float64)
    return F0Track(np.asarray(times, dtype=np.float64), f0_hz, ~np.isnan(f0_hz), TrackerInfo(name, "1", {}), "clip")


def steady(n=50, f0_hz=200.0, name="mine"):
    return track(0.0125 + 0.02 * np.arange(n), np.full(n, f0_hz), name)


def words_in(path):
    return [text.text for text in ET.parse(path).iter(f"{SVG}text")]


@pytest.mark.parametrize("f0_hz", [120.0, 200.0, 310.0])
def test_the_loudest_row_below_a_harmonic_further_up_is_the_tone(f0_hz):
    levels, frequencies, times = spectrogram(tone(f0_hz, n_harmonics=1), max_hz=1000.0)
    inside = (times > 0.1) & (times < 0.9)
    loudest = frequencies[np.argmax(levels[:, inside], axis=0)]
    assert np.all(np.abs(loudest - f0_hz) <= frequencies[1])
    assert levels.max() == 0
    assert levels.min() >= -120
    assert frequencies[-1] <= 1000


def test_columns_stand_at_their_times():
    waveform, true_hz = chirp(150.0, end_hz=300.0, duration_s=1.0)
    levels, frequencies, times = spectrogram(waveform, max_hz=400.0)
    low = frequencies < 320
    for column in np.flatnonzero((times > 0.1) & (times < 0.9))[::20]:
        near = np.abs(frequencies - true_hz(times[column])) < 40
        assert levels[near, column].max() >= levels[low & (frequencies < 100), column].max()
        found = frequencies[low][np.argmax(levels[low, column])]
        assert abs(found - true_hz(times[column])) < 2 * frequencies[1]


def test_a_click_is_loudest_at_its_time():
    samples = np.zeros(16_000, dtype=np.float32)
    samples[8_000] = 1.0
    levels, _, times = spectrogram(Waveform(samples, 16_000, "click"))
    loud = levels.max(axis=0)
    assert times[np.argmax(loud)] == 0.5
    heard = times[loud > -20]
    assert heard.min() + heard.max() == pytest.approx(1.0)


def test_a_long_clip_has_no_more_columns_than_can_be_seen():
    rng = np.random.default_rng(0)
    long = Waveform((0.1 * rng.standard_normal(16_000 * 60)).astype(np.float32), 16_000, "long")
    levels, _, times = spectrogram(long, max_hz=1000.0)
    assert levels.shape[1] == times.size <= 2000
    assert 59 < times[-1] < 60


@pytest.mark.parametrize("n", [1, 7, 400])
def test_the_shortest_clips_and_silence_have_a_spectrogram(n):
    levels, frequencies, times = spectrogram(Waveform(np.zeros(n, dtype=np.float32), 16_000, "short"))
    assert levels.shape == (frequencies.size, times.size)
    assert np.all(levels == -120)
    assert frequencies[-1] == 8000


def test_the_gain_changes_no_level():
    one = spectrogram(tone(200.0))[0]
    half = tone(200.0)
    other = spectrogram(Waveform(half.samples * np.float32(0.25), half.sample_rate, "quiet"))[0]
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_two_drawings_are_the_same_bytes(tmp_path, suffix):
    tracks = {"one": steady(), "two": steady(f0_hz=210.0)}
    one, other = (draw_track(tone(200.0), tracks, tmp_path / f"{i}.{suffix}") for i in range(2))
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes().startswith(b"\x89PNG" if suffix == "png" else b"<?xml")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_svg_has_text_as_text_and_no_date(tmp_path):
    path = draw_track(tone(200.0), steady(), tmp_path / "one.svg")
    said = words_in(path)
    finding = "F0 200 Hz (200-200); 100 % of frames voiced (mine)"
    assert finding in said
    assert any("mine every 20 ms" in word for word in said)
    assert {"time (s)", "frequency (Hz)", "mine"} <= set(said)
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"20\d\d-\d\d-\d\d", text)
    root = ET.parse(path).getroot()
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.find(f"{SVG}title").text == finding


def test_the_title_can_be_given_and_is_escaped(tmp_path):
    path = draw_track(tone(200.0), steady(), tmp_path / "one.svg", title='F0 < "200" & $x$ falls')
    assert 'F0 < "200" & $x$ falls' in words_in(path)
    assert ET.parse(path).getroot().get("aria-label") == 'F0 < "200" & $x$ falls'


def drawn(monkeypatch, tmp_path, tracks, **more):
    """Give the axes of a figure as they are when it is saved."""
    from otoscope.report import drawing

    kept = []
    save = drawing.save_figure
    monkeypatch.setattr(drawing, "save_figure", lambda figure, path: (kept.append(figure), save(figure, path)))
    draw_track(tone(200.0), tracks, tmp_path / "one.png", **more)
    return kept[0].axes


def test_lines_are_the_tracks_and_a_lone_frame_is_a_dot(monkeypatch, tmp_path):
    hz = np.full(50, np.nan)
    hz[10:20], hz[30] = 200.0, 220.0
    (axes,) = drawn(monkeypatch, tmp_path, steady(), max_hz=500.0)
    assert [line.get_ydata().tolist() for line in axes.lines] == [steady().f0_hz.tolist()]
    assert axes.get_ylim() == (0, 500)
    assert axes.get_xlim() == (0, 1)
    one = track(steady().times, hz)
    (axes,) = drawn(monkeypatch, tmp_path, one)
    line, dots = axes.lines
    np.testing.assert_array_equal(line.get_ydata(), hz)
    np.testing.assert_array_equal(line.get_xdata(), one.times)
    assert (dots.get_xdata().tolist(), dots.get_ydata().tolist()) == ([one.times[30]], [220.0])


def test_several_tracks_are_drawn_once_more_without_the_spectrogram(monkeypatch, tmp_path):
    tracks = {"one": steady(), "two": steady(f0_hz=250.0)}
    upper, lower = drawn(monkeypatch, tmp_path, tracks)
    assert len(upper.images) == 1
    assert len(lower.images) == 0
    assert len(upper.lines) == len(lower.lines) == 2
    assert upper.lines[0].get_linewidth() > upper.lines[1].get_linewidth()
    low, high = lower.get_ylim()
    assert low < 200 < 250 < high < 400
    assert upper.get_xlim() == lower.get_xlim() == (0, 1)


def test_none_shows_the_whole_range(monkeypatch, tmp_path):
    (axes,) = drawn(monkeypatch, tmp_path, steady(), max_hz=None)
    assert axes.get_ylim() == (0, 8000)
    (axes,) = drawn(monkeypatch, tmp_path, steady(), max_hz=20_000.0)
    assert axes.get_ylim() == (0, 8000)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_silence_and_tracks_without_frames_can_be_drawn(tmp_path, theme):
    none = track([], [])
    nothing = track([0.1, 0.2], [np.nan, np.nan])
    path = draw_track(silence(0.3), {"none": none, "nothing": nothing}, tmp_path / "one.svg", theme=theme)
    assert "none finds no voice" in words_in(path)


def test_names_in_letters_that_the_font_has_not_are_drawn(tmp_path):
    waveform = Waveform(tone(200.0).samples, 16_000, "清晨/录音.wav")
    draw_track(waveform, {"跟踪": steady()}, tmp_path / "one.png")
    path = draw_track(waveform, {"跟踪": steady()}, tmp_path / "one.svg")
    assert "跟踪" in words_in(path)
    assert any(word.startswith("录音.wav: 1.00 s") for word in words_in(path))


@pytest.mark.parametrize(
    ("name", "tracks", "more", "why"),
    [
        ("one.pdf", {"a": steady()}, {}, "the suffix is .pdf"),
        ("one", {"a": steady()}, {}, "the suffix is missing"),
        ("one.svg", {}, {}, "there is no track"),
        ("one.svg", {"a": steady()}, {"max_hz": 0.0}, "max_hz is 0"),
        ("one.svg", {"a": steady()}, {"theme": "pink"}, "light and dark"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path, name, tracks, more, why):
    with pytest.raises(SpecError, match=why):
        draw_track(tone(200.0), tracks, tmp_path / name, **more)
    assert list(tmp_path.iterdir()) == []


def test_drawing_leaves_no_trace_in_matplotlib(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw_track(tone(200.0), steady(), tmp_path / "one.svg")
    assert dict(matplotlib.rcParams) == before
