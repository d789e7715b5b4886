"""A run over FLEURS is the same run, by whichever route its sound comes; and it survives the loss of its archives."""

import pytest

from otoscope.errors import SourceGoneError
from otoscope.f0.labels import LabelCache
from otoscope.studies.pitch.run import run_pitch
from otoscope.studies.pitch.settings import PitchSettings
from otoscope.testing.checkpoints import write_checkpoint
from otoscope.testing.fleurs import write_fleurs

LANGUAGES = ("en_us", "yo_ng", "zu_za")
SETTINGS = PitchSettings(n_resamples=50, shard_clips=8)


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleurs")
    return {
        layout: write_fleurs(folder / layout, layout=layout, languages=LANGUAGES)
        for layout in ("archives", "folders", "parquet")
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    checkpoint = write_checkpoint(tmp_path_factory.mktemp("models") / "tiny", "hubert")
    return ["logmel", str(checkpoint), f"untrained:{checkpoint}#0"]


def contents(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and "journal" not in p.relative_to(folder).parts
    }


def run(root, out, models, labels=None, **options):
    labels = LabelCache(out.parent / "labels") if labels is None else labels
    return run_pitch(f"fleurs:{root}", models, out, SETTINGS, labels=labels, **options)


@pytest.fixture(scope="module")
def whole(roots, models, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    result = run(roots["archives"], out, models)
    assert not result.failures
    return out


@pytest.mark.parametrize("layout", ["folders", "parquet"])
def test_every_route_gives_the_same_run_byte_for_byte(roots, models, whole, tmp_path, layout):
    run(roots[layout], tmp_path / "run", models)
    assert contents(tmp_path / "run") == contents(whole)


def test_a_run_may_be_begun_on_one_route_and_ended_on_another(roots, models, whole, tmp_path):
    assert run(roots["parquet"], tmp_path / "run", models, part=(1, 2)).waiting
    run(roots["archives"], tmp_path / "run", models)
    assert contents(tmp_path / "run") == contents(whole)


@pytest.mark.parametrize("layout", ["archives", "parquet"])
def test_archives_that_are_taken_away_stop_the_run(roots, models, whole, tmp_path, layout):
    root = write_fleurs(tmp_path / "fleurs", layout=layout, languages=LANGUAGES)

    class Removes:
        left = 9

        def begin(self, what, total):
            pass

        def advance(self):
            self.left -= 1
            if self.left == 0:
                root.rename(tmp_path / "away")

    labels = LabelCache(tmp_path / "labels")
    with pytest.raises(SourceGoneError, match="bring it back"):
        run(root, tmp_path / "run", models, labels, progress=Removes())
    (tmp_path / "away").rename(root)
    run(root, tmp_path / "run", models, labels)
    assert contents(tmp_path / "run") == contents(whole)
