"""The program in this process, and planted data under names that can be typed."""

import contextlib
import io
import sys

import pytest

from otoscope.cli.main import main
from otoscope.corpora import registry as corpora
from otoscope.f0 import registry as trackers
from otoscope.representations import registry as models
from otoscope.testing.planted import PlantedModel, PlantedTracker, planted_corpus


def _call(*args):
    """Run the program; give its exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["otoscope", *map(str, args)])
        with pytest.raises(SystemExit) as left:
            main()
    return left.value.code or 0, out.getvalue(), err.getvalue()


MODELS = {
    "planted": PlantedModel(),
    "weak": PlantedModel(name="weak", strengths=(6.0,), kind="baseline"),
    "copy": PlantedModel(name="untrained:planted#0", strengths=(0.0, 0.0, 0.0), kind="untrained", twin="planted"),
    "flawed": PlantedModel(name="flawed", fails_on=("en_us/030",)),
}


def _planted(patch):
    """Let `planted:PATH`, `--model planted,weak,copy,flawed` and `--tracker planted` be typed."""
    corpus = planted_corpus(languages=("en_us", "de_de", "vi_vn"), n_sentences=32, duration_s=1.5)
    kind = corpora.CorpusKind("planted:PATH", "planted", lambda path: corpus)
    patch.setitem(corpora.KINDS, "planted", kind)
    patch.setitem(trackers.TRACKERS, "planted", PlantedTracker)
    for name, model in MODELS.items():
        patch.setitem(models.MODELS, name, models.ModelEntry(lambda model=model: model, {}, "planted"))


@pytest.fixture(scope="session")
def call():
    return _call


@pytest.fixture
def planted(monkeypatch):
    _planted(monkeypatch)


@pytest.fixture(scope="package")
def planted_run(tmp_path_factory):
    """Give a finished run of planted data and what the program said."""
    folder = tmp_path_factory.mktemp("planted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTOSCOPE_CACHE", str(folder / "cache"))
        _planted(patch)
        said = _call(*_command(folder / "run"))
    return folder / "run", *said


def _command(out, *more, models="planted,weak,copy"):
    return ("pitch", "run", "--corpus", "planted:.", "--model", models, "--tracker", "planted", "--out", out, *more)


@pytest.fixture(scope="session")
def command():
    return _command
