"""A pitch run that asks other trackers: which frames it keeps, what it says of the rest, and its noise ceiling."""

from dataclasses import dataclass

import numpy as np
import pytest
import soundfile

from otoscope.audio import Waveform
from otoscope.corpora.base import Clip, Corpus, Failure
from otoscope.corpora.files import AudioFile
from otoscope.errors import DataError, RunConflictError, SpecError
from otoscope.f0 import registry
from otoscope.f0.base import F0Track, TrackerInfo
from otoscope.f0.labels import LabelCache
from otoscope.f0.registry import open_tracker
from otoscope.f0.resampling import sample_track
from otoscope.frames import FrameGrid
from otoscope.representations.base import LayerInfo
from otoscope.store import read_about, read_arrays, read_json
from otoscope.studies.pitch import answer
from otoscope.studies.pitch.answer import read_answer
from otoscope.studies.pitch.ceiling import CEILINGS, ceiling_sums
from otoscope.studies.pitch.cells import read_cells
from otoscope.studies.pitch.footprint import USUAL_AGREED, cell_bytes
from otoscope.studies.pitch.matrix import matrix_rows
from otoscope.studies.pitch.merge import merge_runs
from otoscope.studies.pitch.panel import Panel, open_panel
from otoscope.studies.pitch.reader import Hearer
from otoscope.studies.pitch.results import Results
from otoscope.studies.pitch.run import run_pitch
from otoscope.studies.pitch.score import COLUMNS
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.studies.pitch.shapes import ModelShape
from otoscope.studies.pitch.solve import fold_domain, read_probes
from otoscope.studies.pitch.speed import measure_speed
from otoscope.studies.pitch.status import run_status, verify_run
from otoscope.studies.pitch.targets import MIN_VOICED, Heard, clip_targets, columns_of, domain_columns
from otoscope.studies.pitch.workload import workload_of
from otoscope.testing.planted import GRID, PlantedModel, PlantedTracker, planted_corpus, planted_f0
from otoscope.testing.signals import speechlike

TOLERANCE = 1e-9
MODEL = PlantedModel()
WEAK = PlantedModel(name="weak", strengths=(6.0,), kind="baseline")
CODES = ("en_us", "cmn_hans_cn")
SPEC = "2of2:rival"


def flipped(n):
    return np.arange(n) % 7 == 0


def sharp(n):
    return np.arange(n) % 7 == 3


@dataclass(frozen=True, slots=True)
class Rival:
    """The planted tracker with known frames spoilt: their voicing turned round, or 100 cents too high."""

    cents: float = 100.0
    version: str = "1"
    fails_on: tuple[str, ...] = ()
    sample_rate: int = 16_000

    @property
    def info(self):
        return TrackerInfo("rival", self.version, {"cents": self.cents})

    def track(self, waveform):
        assert waveform.sample_rate == self.sample_rate
        if waveform.clip_id in self.fails_on:
            raise DataError(waveform.clip_id, "the rival would not")
        n = GRID.count(waveform.samples.size * GRID.sample_rate // self.sample_rate)
        truth = planted_f0(waveform.clip_id, n)
        said = np.where(sharp(n), truth * 2 ** (self.cents / 1200), truth)
        said = np.where(flipped(n), np.where(np.isnan(truth), 150.0, np.nan), said)
        return F0Track(GRID.centers(n), said, ~np.isnan(said), self.info, waveform.clip_id)


@pytest.fixture(autouse=True)
def _rivals(monkeypatch):
    monkeypatch.setitem(registry.TRACKERS, "rival", lambda cents=100.0: Rival(cents))


@pytest.fixture(scope="module")
def corpus():
    return planted_corpus(languages=CODES, duration_s=1.5)


def run(out, corpus, models=(MODEL, WEAK), *, agree=SPEC, progress=None, part=(1, 1), languages=("all",), **settings):
    return run_pitch(
        corpus,
        models,
        out,
        PitchSettings(**{"n_resamples": 50, "shard_clips": 5, "agree": agree, **settings}),
        languages=languages,
        tracker=PlantedTracker(),
        labels=LabelCache(out.parent / "labels"),
        progress=progress,
        part=part,
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory, corpus):
    """A run that asks the rival, and the same without."""
    where = tmp_path_factory.mktemp("agree")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.TRACKERS, "rival", lambda cents=100.0: Rival(cents))
        run(where / "with", corpus)
        run(where / "without", corpus, agree="")
    return where / "with", where / "without"


@pytest.fixture(scope="module")
def rows(folders):
    return read_answer(folders[0])[0]


def pick(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def one(rows, **wanted):
    (row,) = pick(rows, **wanted)
    return row


def both(clip_id, duration_s=1.5, *, tracker=None):
    waveform = Waveform(np.full(round(16_000 * duration_s), 0.1, dtype=np.float32), 16_000, clip_id)
    return Heard(waveform, PlantedTracker().track(waveform), ((tracker or Rival()).track(waveform),), 2)


def test_the_agreed_frames_are_exactly_those_that_were_not_spoilt():
    heard = both("a")
    n = heard.track.times.size
    made = clip_targets(heard, None, LayerInfo(0, "x", 4, GRID), n, seed=0)
    spoilt = flipped(n) | sharp(n)
    assert np.array_equal(made.rows["voiced-agreed"], np.flatnonzero(heard.track.voiced & ~spoilt))
    assert np.array_equal(made.rows["voiced-disputed"], np.flatnonzero(heard.track.voiced & spoilt))
    assert np.array_equal(made.rows["unvoiced"], np.flatnonzero(~heard.track.voiced))
    assert made.rows["voiced"].size == made.rows["voiced-sparse"].size == 0


def test_a_fall_within_the_tolerance_is_no_dispute():
    heard = both("a", tracker=Rival(cents=49.0))
    n = heard.track.times.size
    made = clip_targets(heard, None, LayerInfo(0, "x", 4, GRID), n, seed=0)
    assert np.array_equal(made.rows["voiced-agreed"], np.flatnonzero(heard.track.voiced & ~flipped(n)))


def test_what_is_predicted_of_a_frame_does_not_depend_on_who_agrees():
    heard, layer = both("a"), LayerInfo(0, "x", 4, GRID)
    n = heard.track.times.size
    partner = both("b")
    plain = clip_targets(Heard(heard.waveform, heard.track), Heard(partner.waveform, partner.track), layer, n, seed=0)
    made = clip_targets(heard, partner, layer, n, seed=0)
    order = np.argsort(np.concatenate([made.rows[mask] for mask in ("voiced-agreed", "voiced-disputed")]))
    table = np.concatenate([made.values[mask] for mask in ("voiced-agreed", "voiced-disputed")])[order]
    assert columns_of("voiced") == columns_of("voiced-agreed") == columns_of("voiced-disputed")
    assert np.array_equal(table, plain.values["voiced"])
    assert np.array_equal(made.values["unvoiced"], plain.values["unvoiced"])


def test_clips_with_next_to_no_voice_stay_so_whoever_agrees():
    f0_hz = np.full(200, np.nan)
    f0_hz[: MIN_VOICED - 1] = 120.0
    track = F0Track(GRID.centers(200), f0_hz, ~np.isnan(f0_hz), TrackerInfo("t", "1", {}), "a")
    sound = Waveform(np.full(400 + 160 * 199, 0.1, dtype=np.float32), 16_000, "a")
    made = clip_targets(Heard(sound, track, (track,), 2), None, LayerInfo(0, "x", 4, GRID), 200, seed=0)
    assert made.rows["voiced-sparse"].size == MIN_VOICED - 1
    assert made.rows["voiced-agreed"].size == made.rows["voiced-disputed"].size == 0
    assert np.all(ceiling_sums(Heard(sound, track, (track,), 2))[:, :2] == 0)


def test_agreement_is_asked_where_a_layers_own_frames_and_lag_put_the_labels():
    heard = both("a")
    slow = LayerInfo(0, "x", 4, FrameGrid(16_000, hop=320, receptive_field=400), lag=160)
    made = clip_targets(heard, None, slow, 70, seed=0)
    times = slow.target_times(70)
    at = np.rint((times - GRID.centers(1)[0]) / 0.01).astype(int)
    n = heard.track.times.size
    there = at < n
    spoilt, voiced = (flipped(n) | sharp(n))[at[there]], heard.track.voiced[at[there]]
    assert np.array_equal(made.rows["voiced-agreed"], np.flatnonzero(there)[voiced & ~spoilt])


@pytest.mark.parametrize(("room", "split"), [("cells", "train"), ("cells", "dev"), ("test", "test")])
def test_the_cells_of_all_masks_add_up_to_those_of_a_run_that_asks_nobody(folders, room, split):
    shift = {int(i): a for i, a in read_arrays(folders[0] / "shifts" / "planted.safetensors")[0].items()}
    for code in CODES:
        asked, plain = (
            read_cells(folder / room / "planted" / f"{code}.{split}.safetensors", shift)[0] for folder in folders
        )
        assert {key.mask for key in asked.moments} == {"voiced-agreed", "voiced-disputed", "unvoiced"}
        assert {key.mask for key in plain.moments} == {"voiced", "unvoiced"}
        for key, cell in plain.moments.items():
            masks = ("voiced-agreed", "voiced-disputed") if key.mask == "voiced" else (key.mask,)
            parts = [m for k, m in asked.moments.items() if k.layer == key.layer and k.mask in masks]
            total = sum((part.packed for part in parts[1:]), start=parts[0].packed)
            np.testing.assert_allclose(total, cell.packed, rtol=TOLERANCE, atol=1e-7)
        for layer in shift:
            everything = [
                fold_domain(
                    read_cells(f / room / "planted" / f"{code}.{split}.safetensors", shift, layer=layer)[0], "all"
                )
                for f in folders
            ]
            assert everything[0].n == everything[1].n
            assert everything[0].columns == everything[1].columns


def stacked(plan, split, code, keep):
    xs, ys = [], []
    for clip in plan.clips(code, split):
        waveform = clip.read(sample_rate=16_000)
        layer = list(MODEL.layers(waveform))[1]
        truth = planted_f0(clip.clip_id, layer.n_frames)
        spoilt = flipped(truth.size) | sharp(truth.size)
        rows = ~np.isnan(truth) & (~spoilt if keep == "voiced-agreed" else spoilt)
        xs.append(layer.states[rows].astype(np.float64))
        ys.append(np.log2(truth[rows]))
    return xs, ys


@pytest.mark.parametrize("probe", ["ols", "ridge"])
def test_probes_are_those_of_the_stacked_agreed_frames(tmp_path, corpus, probe):
    from scipy.linalg import lstsq
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score
    from sklearn.preprocessing import StandardScaler

    plan = run(tmp_path / "run", corpus, [MODEL], probe=probe).plan
    rows = read_answer(tmp_path / "run")[0]
    entry = read_probes(tmp_path / "run" / "probes" / "planted" / "1.safetensors")
    for code in CODES:
        x, y = (np.concatenate(part) for part in stacked(plan, "train", code, "voiced-agreed"))
        scaler = StandardScaler().fit(x)
        z, center = scaler.transform(x), y.mean()
        kept = entry.get("own", code, "voiced")
        assert kept.n_frames == y.size
        if probe == "ols":
            w = lstsq(z, y - center, cond=1e-5)[0]
        else:
            w = Ridge(alpha=kept.probe.lambdas[0] * y.size, solver="svd").fit(z, y - center).coef_
        for mask in ("voiced-agreed", "voiced-disputed"):
            xs, ys = stacked(plan, "test", code, mask)
            predicted = [scaler.transform(each) @ w + center for each in xs]
            where = {"model": "planted", "layer": 1, "train": "own", "test": code, "target": "log2_f0", "mask": mask}
            found = one(rows, metric="r2", **where)
            assert found["value"] == pytest.approx(
                r2_score(np.concatenate(ys), np.concatenate(predicted)), abs=TOLERANCE
            )
            assert found["n_frames"] == sum(each.size for each in ys)
            dy = np.concatenate([each - each.mean() for each in ys])
            dp = np.concatenate([each - each.mean() for each in predicted])
            r = dy @ dp / np.sqrt((dy @ dy) * (dp @ dp))
            assert one(rows, metric="within_r", **where)["value"] == pytest.approx(r, abs=1e-7)


def test_targets_of_all_frames_are_scored_as_if_nobody_were_asked(folders, rows):
    plain = read_answer(folders[1])[0]
    keys = ("model", "layer", "train", "test", "target", "metric")
    values = {tuple(row[key] for key in keys): row for row in plain if row["mask"] == "all"}
    mine = [row for row in rows if row["mask"] == "all" and row["layer"] is not None]
    assert len(mine) == len(values) > 0
    for row in mine:
        other = values[tuple(row[key] for key in keys)]
        assert row["n_frames"] == other["n_frames"]
        for key in ("value", "low", "high", "control"):
            assert row[key] == (None if other[key] is None else pytest.approx(other[key], abs=1e-7))
    assert {row["mask"] for row in plain} == {"voiced", "all"}
    assert {row["mask"] for row in rows if row["target"] == "semitone"} == {"voiced-agreed", "voiced-disputed"}


def test_a_baseline_stands_beside_rows_of_its_own_frames_only(rows):
    for mask in ("voiced-agreed", "voiced-disputed"):
        wanted = {"train": "own", "test": "mean", "target": "log2_f0", "metric": "r2", "mask": mask}
        row = one(rows, model="planted", layer=1, **wanted)
        assert row["baseline"] == one(rows, model="weak", layer=0, **wanted)["value"]
    assert len({row["baseline"] for row in pick(rows, target="log2_f0", metric="r2", train="own", test="mean")}) == 2


def test_contrasts_and_the_matrix_are_of_the_agreed_frames(folders, rows):
    _, said = read_answer(folders[0])
    assert {row["mask"] for row in said["contrasts"]} == {"voiced-agreed"}
    assert all(row["layer"] is not None for row in said["contrasts"])
    for target in ("log2_f0", "semitone"):
        for metric in ("r2", "within_r") if target == "log2_f0" else ("r2",):
            where = {"model": "planted", "layer": 1, "test": "en_us", "target": target, "metric": metric}
            cell = one(matrix_rows(folders[0], target=target, metric=metric), train="lang:en_us", **where)
            own = one(rows, train="own", mask="voiced-agreed", **where)
            assert cell["mask"] == "voiced-agreed"
            assert cell["value"] == pytest.approx(own["value"], abs=1e-7)


def test_a_baseline_that_is_good_at_disputed_frames_is_not_what_models_are_held_to(folders, rows):
    results = Results(folders[0])
    good = one(rows, model="weak", train="own", test="mean", target="log2_f0", metric="r2", mask="voiced-disputed")
    shown = answer._contrasts(results, [*rows, {**good, "value": 2.0, "layer": 1}])
    assert shown == answer._contrasts(results, rows) == read_answer(folders[0])[1]["contrasts"]


def test_disputed_frames_have_scores_of_voiced_targets_and_their_controls_only(folders):
    layer = Results(folders[0]).layer("planted", 1)
    for code in CODES:
        rows, apart = layer.rows(code), layer.disputed(code)
        assert rows.shape == apart.shape
        there = {name for i, name in enumerate(COLUMNS) if apart[:, 0, i, 0].any()}
        assert there == set(domain_columns("voiced"))
        at = COLUMNS.index("log2_f0"), COLUMNS.index("voicing")
        n_voiced = rows[:, 0, at[0], 0] + apart[:, 0, at[0], 0]
        assert np.array_equal(n_voiced, rows[:, 0, at[1], 1].round())  # the sum of the voicing counts them, too


def tracks_of(corpus, code):
    for clip in corpus.clips:
        if (clip.language, clip.split) == (code, "test"):
            waveform = clip.read(sample_rate=16_000)
            yield PlantedTracker().track(waveform), Rival().track(waveform)


def closed_forms(corpus, code):
    """Give the ceiling's numbers straight from two lists of tracks."""
    y, p, dy, dp, differ, hits, wrong = [], [], [], [], [], 0, 0
    for truth, said in tracks_of(corpus, code):
        shared = truth.voiced & said.voiced
        a, b = np.log2(truth.f0_hz[shared]), np.log2(said.f0_hz[shared])
        y.append(a), p.append(b), dy.append(a - a.mean()), dp.append(b - b.mean())
        differ.append(truth.voiced != said.voiced)
        hits, wrong = hits + shared.sum(), wrong + (truth.voiced != said.voiced).sum()
    y, p, dy, dp, differ = (np.concatenate(each) for each in (y, p, dy, dp, differ))
    return {
        ("log2_f0", "r2"): 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum(),
        ("log2_f0", "within_r"): np.corrcoef(dy, dp)[0, 1],
        ("log2_f0", "mse"): ((y - p) ** 2).mean(),
        ("log2_f0", "mae_cents"): 1200 * np.abs(y - p).mean(),
        ("log2_f0", "gpe"): 0.0,
        ("voicing", "mse"): differ.mean(),
        ("voicing", "f1"): 2 * hits / (2 * hits + wrong),
        "n": y.size,
    }


def test_the_ceiling_is_what_the_two_tracks_say_of_each_other(corpus, rows):
    found = pick(rows, model="tracker:rival")
    assert all((row["layer"], row["layer_name"], row["train"], row["baseline"]) == (None,) * 4 for row in found)
    expected = {code: closed_forms(corpus, code) for code in CODES}
    for code in CODES:
        for (target, metric), value in ((k, v) for k, v in expected[code].items() if k != "n"):
            mask = "voiced" if target == "log2_f0" else "all"
            row = one(found, test=code, target=target, metric=metric, mask=mask)
            assert row["value"] == pytest.approx(value, abs=TOLERANCE), (target, metric)
            assert row["low"] <= row["value"] <= row["high"] or metric == "gpe"
        assert one(found, test=code, target="log2_f0", metric="r2", mask="voiced")["n_frames"] == expected[code]["n"]
        agreed = one(found, test=code, target="log2_f0", metric="r2", mask="voiced-agreed")
        assert agreed["value"] == pytest.approx(1.0, abs=TOLERANCE)  # what is left of the rival is the truth
    mean = one(found, test="mean", target="log2_f0", metric="r2", mask="voiced")
    assert mean["value"] == pytest.approx(np.mean([expected[c]["log2_f0", "r2"] for c in CODES]), abs=TOLERANCE)
    assert mean["n_languages"] == 2
    assert pick(found, test="region:western_europe") or any(row["test"].startswith("region:") for row in found)


def test_the_ceiling_does_not_depend_on_which_model_heard_the_clips(tmp_path, corpus, rows):
    flawed = PlantedModel(name="flawed", fails_on=("en_us/030",))
    run(tmp_path / "run", corpus, [flawed, MODEL])
    found = [row for row in read_answer(tmp_path / "run")[0] if row["layer"] is None]
    assert found == [row for row in rows if row["layer"] is None]


class Power(Exception):
    """Goes off."""


class GoesOff:
    def __init__(self, after):
        self.left = after

    def begin(self, what, total):
        pass

    def advance(self):
        self.left -= 1
        if self.left < 0:
            raise Power


def contents(folder):
    kept = (p for p in folder.rglob("*") if p.is_file() and "journal" not in p.parts)
    return {str(p.relative_to(folder)): p.read_bytes() for p in kept}


@pytest.mark.parametrize("after", [7, 90, 130, 147])
def test_a_run_that_was_cut_off_ends_in_the_same_bytes(tmp_path, corpus, folders, after):
    with pytest.raises(Power):
        run(tmp_path / "cut", corpus, progress=GoesOff(after))
    run(tmp_path / "cut", corpus)
    assert contents(tmp_path / "cut") == contents(folders[0])


def test_parts_are_merged_to_what_one_run_gives(tmp_path, corpus, folders):
    for k in (1, 2):
        assert run(tmp_path / f"{k}", corpus, part=(k, 2)).waiting
    merge_runs([tmp_path / "1", tmp_path / "2"], tmp_path / "learnt")
    run(tmp_path / "learnt", corpus)
    whole = contents(folders[0])
    found = contents(tmp_path / "learnt")
    for name in whole:
        assert found[name] == whole[name] or name == "run.json", name
    assert verify_run(tmp_path / "learnt") == []
    assert run_status(tmp_path / "learnt").answered


def test_a_run_keeps_whom_it_asked(folders):
    about = read_json(folders[0] / "run.json")
    assert about["settings"]["agree"] == SPEC
    assert about["agree_trackers"] == [Rival().info.describe()]
    assert verify_run(folders[0]) == []
    plain = read_json(folders[1] / "run.json")
    assert "agree" not in plain["settings"]
    assert "agree_trackers" not in plain
    assert PitchSettings().describe() == PitchSettings(agree="").describe()


def test_files_say_which_trackers_they_are_made_of(tmp_path, corpus, monkeypatch):
    small, said = corpus.only(["en_us"]), set()
    for version in "12":
        monkeypatch.setitem(registry.TRACKERS, "rival", lambda cents=100.0, v=version: Rival(cents, version=v))
        run(tmp_path / version, small, [WEAK])
        path = tmp_path / version / "cells" / "weak" / "en_us.train.safetensors"
        said.add(read_about(path)["made_of"]["parts"])
    assert len(said) == 2


def test_runs_with_other_agreement_are_not_mixed(tmp_path, corpus, monkeypatch):
    small = corpus.only(["en_us"])
    run(tmp_path / "run", small, [WEAK])
    with pytest.raises(RunConflictError, match="agree was '2of2:rival' and is ''"):
        run(tmp_path / "run", small, [WEAK], agree="")
    with pytest.raises(RunConflictError, match="agree was '2of2:rival' and is '2of2:rival:cents=30'"):
        run(tmp_path / "run", small, [WEAK], agree="2of2:rival:cents=30")
    run(tmp_path / "plain", small, [WEAK], agree="")
    with pytest.raises(RunConflictError, match="agree was '' and is '2of2:rival'"):
        run(tmp_path / "plain", small, [WEAK])
    with pytest.raises(RunConflictError, match="agree was"):
        merge_runs([tmp_path / "run", tmp_path / "plain"], tmp_path / "both")
    monkeypatch.setitem(registry.TRACKERS, "rival", lambda cents=100.0: Rival(cents, version="2"))
    with pytest.raises(RunConflictError, match=r"agree_trackers was .*'version': '1'.* and is .*'version': '2'"):
        run(tmp_path / "run", small, [WEAK])


@pytest.mark.parametrize(
    ("agree", "match"),
    [
        ("2of2:nobody", "there is no tracker 'nobody'"),
        ("2of5", "4 trackers beside planted are needed"),
        ("most", "2of3, or with names"),
        ("2of2:rival:cents=x", "cents"),
        ("2of3:rival+rival:cents=100", "is the same tracker as rival"),
        ("2of2:planted", "named twice"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_done(tmp_path, corpus, agree, match):
    with pytest.raises(SpecError, match=match):
        run(tmp_path / "run", corpus, agree=agree)
    assert not (tmp_path / "run").exists()


def test_settings_name_every_tracker_that_is_asked():
    settings, panel = open_panel(PitchSettings(tracker="yaapt-compat", agree=" 2of2:kaldi "), PlantedTracker())
    assert settings.agree == "2of2:kaldi"
    assert (panel.need, panel.specs) == (2, ("kaldi",))
    assert open_panel(PitchSettings(), PlantedTracker()) == (PitchSettings(), Panel())


def test_others_search_the_range_of_the_labels_unless_they_name_one():
    labels = open_tracker("yaapt:f0_min_hz=80,f0_max_hz=600")
    asked = PitchSettings(tracker="yaapt:f0_min_hz=80,f0_max_hz=600", agree="2of3:kaldi+pyin:f0_max_hz=500")
    _, panel = open_panel(asked, labels)
    found = [[info.parameters[key] for key in ("f0_min_hz", "f0_max_hz")] for info in panel.infos]
    assert found == [[80.0, 600.0], [80.0, 500.0]]


@pytest.mark.parametrize(("spec", "hop_ms"), [("pyin", 10.0), ("pyin:hop_ms=5", 5.0), ("yaapt-compat", 20.0)])
def test_others_that_are_put_on_frames_are_put_on_fine_ones(spec, hop_ms):
    _, panel = open_panel(PitchSettings(agree=f"2of2:{spec}"), open_tracker("yaapt"))
    assert panel.infos[0].parameters["hop_ms"] == hop_ms


def test_a_clip_that_another_tracker_cannot_use_is_left_out_and_says_who_could_not(tmp_path, corpus, monkeypatch):
    bad = ("en_us/000", "en_us/030")
    monkeypatch.setitem(registry.TRACKERS, "rival", lambda cents=100.0: Rival(cents, fails_on=bad))
    result = run(tmp_path / "run", corpus, [WEAK])
    assert {(f.clip_id, f.stage) for f in result.failures} == {(clip, "labels") for clip in bad}
    assert all("rival" in f.reason and "the rival would not" in f.reason for f in result.failures)
    without = Corpus("planted", tuple(c for c in corpus.clips if c.clip_id not in bad), "none", "none")
    plan = run(tmp_path / "without", without, [WEAK]).plan
    row = one(
        read_answer(tmp_path / "run")[0],
        model="tracker:rival",
        test="en_us",
        target="log2_f0",
        metric="r2",
        mask="voiced",
    )
    assert row["n_utterances"] == len(plan.clips("en_us", "test"))
    assert len(run(tmp_path / "run", corpus, [WEAK]).failures) == 2  # and again, of a run that stands


def test_each_tracker_hears_sound_at_its_own_rate(tmp_path, corpus):
    clip = corpus.clips[0]
    panel = Panel(2, ("rival",), (Rival(sample_rate=8_000),))
    heard = Hearer(PlantedTracker(), LabelCache(tmp_path), 0.1, panel)(clip)
    assert not isinstance(heard, Failure)
    assert heard.waveform.sample_rate == 16_000
    assert (len(heard.others), heard.need) == (1, 2)
    again = Hearer(PlantedTracker(), LabelCache(tmp_path), 0.1, panel)
    again(clip)
    assert again.labels.hits == 2
    assert Hearer(PlantedTracker(), LabelCache(tmp_path), 0.1)(clip).others == ()


def test_two_of_three_need_one_more_than_the_labels():
    heard = both("a")
    n = heard.track.times.size
    honest = Heard(heard.waveform, heard.track, (*heard.others, heard.track), 2)
    made = clip_targets(honest, None, LayerInfo(0, "x", 4, GRID), n, seed=0)
    assert made.rows["voiced-disputed"].size == 0
    strict = Heard(heard.waveform, heard.track, (*heard.others, heard.track), 3)
    made = clip_targets(strict, None, LayerInfo(0, "x", 4, GRID), n, seed=0)
    assert made.rows["voiced-disputed"].size > 0
    assert ceiling_sums(strict).shape[:2] == (2, len(CEILINGS))
    assert np.all(ceiling_sums(strict)[1, 0, -5:-3] == 0)  # the labels make no errors of their own


def test_real_trackers_judge_one_another(tmp_path):
    """On voices that glide, two trackers agree on nearly all that both call voiced, and the run says how nearly."""
    clips = []
    for i in range(24):
        waveform = speechlike(i, duration_s=2.0)[0]
        path = tmp_path / f"{i}.wav"
        soundfile.write(path, waveform.samples, 16_000, subtype="FLOAT")
        clips.append(Clip(f"{i}", AudioFile(path), "en_us", {"sentence": f"s{i}"}, ("train", "dev", "test")[i % 3]))
    settings = PitchSettings(tracker="yaapt-compat", agree="2of2:kaldi", n_resamples=50)
    labels = LabelCache(tmp_path / "labels")
    result = run_pitch(Corpus("speech", tuple(clips)), ["logmel:bands=20"], tmp_path / "run", settings, labels=labels)
    assert not result.failures
    rows = read_answer(tmp_path / "run")[0]
    where = {"target": "log2_f0", "test": "en_us", "metric": "mae_cents"}
    agreed, voiced = (one(rows, model="tracker:kaldi", mask=mask, **where) for mask in ("voiced-agreed", "voiced"))
    assert 0 < agreed["value"] <= 50
    assert agreed["n_frames"] <= voiced["n_frames"]
    kaldi, compat = open_tracker("kaldi"), open_tracker("yaapt-compat")
    cents, wrong = [], []
    for clip in clips[2::3]:
        waveform = clip.read(sample_rate=16_000)
        own, other = compat.track(waveform), kaldi.track(waveform)
        said = sample_track(other, own.times)
        shared = own.voiced & said.voiced
        cents.append(1200 * np.abs(np.log2(said.f0_hz[shared] / own.f0_hz[shared])))
        wrong.append((own.voiced != said.voiced)[said.covered])
    assert voiced["value"] == pytest.approx(np.concatenate(cents).mean(), abs=1e-6)
    differ = one(rows, model="tracker:kaldi", target="voicing", test="en_us", metric="mse")
    assert differ["value"] == pytest.approx(np.concatenate(wrong).mean(), abs=TOLERANCE)
    best = one(rows, train="own", target="log2_f0", test="en_us", metric="r2", mask="voiced-agreed")
    assert (
        best["value"] < one(rows, model="tracker:kaldi", mask="voiced-agreed", **{**where, "metric": "r2"})["value"]
    )


def test_a_plan_knows_the_size_of_the_files_and_the_time_of_every_tracker(folders, corpus):
    from otoscope.studies.pitch.plan import make_plan

    settings = PitchSettings(n_resamples=50, shard_clips=5)
    work = workload_of(make_plan(corpus, settings), seed=0)
    shape = ModelShape.of(MODEL.info)
    for load in work.loads:
        room = "test" if load.split == "test" else "cells"
        path = folders[0] / room / "planted" / f"{load.language}.{load.split}.safetensors"
        expected = cell_bytes(shape, load, masks=USUAL_AGREED, n_sources=2, n_others=1)
        assert path.stat().st_size == pytest.approx(expected, rel=0.02)
    alone, asked = (
        measure_speed([shape], PlantedTracker(), settings, models={"planted": MODEL}, panel=panel)
        for panel in (None, Panel(2, ("slow",), (_Slow(),)))
    )
    assert asked.label_s > alone.label_s + 0.9 * _Slow.takes_s / 10
    assert asked.label_bytes == pytest.approx(2 * alone.label_bytes)


class _Slow(Rival):
    takes_s = 0.05

    def track(self, waveform):
        import time

        time.sleep(self.takes_s)
        return Rival.track(self, waveform)


def test_the_words_and_the_picture_name_the_noise_ceiling(folders, rows):
    import xml.etree.ElementTree as ET

    from otoscope.report.figure import profile_svg
    from otoscope.report.profile import ceiling_sentence, layer_profile

    kinds, twins = {"planted": "model", "weak": "baseline"}, {"planted": None, "weak": None}
    profile = layer_profile(rows, read_answer(folders[0])[1]["contrasts"], kinds, twins, "own")
    where = {"test": "mean", "target": "log2_f0", "metric": "r2", "mask": "voiced-agreed"}
    assert profile.ceiling["r2"] == one(rows, model="tracker:rival", **where)
    assert {p.scores["r2"]["mask"] for p in profile.points} == {"voiced-agreed"}
    assert profile.n_tested == 2
    said = ceiling_sentence(rows)
    voiced = one(rows, model="tracker:rival", **{**where, "mask": "voiced"})["value"]
    assert "another tracker (rival) predicts these labels with R2 1.000, r 1.000 on such frames" in said
    assert f"R2 {voiced:.3f}" in said
    assert "no probe can be expected to do much better" in said
    assert "differ on the voicing of 14." in said  # one frame of seven
    svg = profile_svg([profile], title="x", subtitle=said)
    drawn = [g for g in ET.fromstring(svg).findall(".//{*}g") if "noise ceiling" in "".join(g.itertext())]
    assert len(drawn) == 4  # in each panel the line and its name
    assert sum(line.get("class") == "ceiling" for line in ET.fromstring(svg).findall(".//{*}line")) == 2
    plain_rows = read_answer(folders[1])[0]
    plain = layer_profile(plain_rows, [], kinds, twins, "own")
    assert plain.ceiling == {}
    assert "ceiling" not in profile_svg([plain], title="x", subtitle="")
    assert ceiling_sentence(plain_rows) == ""
