import pytest

from otoscope.corpora import fleurs_hub
from otoscope.corpora.fleurs_hub import REPOSITORY, Hub
from otoscope.errors import SpecError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "data/en_us/test.tsv"


@pytest.fixture
def cache(tmp_path):
    repository = tmp_path / f"datasets--{REPOSITORY.replace('/', '--')}"
    kept = repository / "snapshots" / COMMIT / NAME
    kept.parent.mkdir(parents=True)
    kept.write_text("1\n", encoding="utf-8")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    hosts = []

    def nobody():
        hosts.append("hub")
        return "hub.invalid"

    monkeypatch.setattr(fleurs_hub, "unknown_host", nobody)
    monkeypatch.setattr(fleurs_hub, "is_offline", lambda: False)
    return hosts


def test_a_file_of_a_commit_that_is_kept_is_given_without_asking_for_the_host(cache, asked):
    path = Hub(revision=COMMIT, cache=str(cache)).fetch(NAME)
    assert path.read_text(encoding="utf-8") == "1\n"
    assert asked == []


def test_a_branch_may_have_moved_so_the_host_is_asked_for(cache, asked):
    hub = Hub(cache=str(cache))
    assert hub.fetch(NAME).read_text(encoding="utf-8") == "1\n"
    assert asked == ["hub"]
    assert hub.pinned(NAME).revision == COMMIT


def test_what_is_not_kept_and_cannot_be_got_says_what_to_download(cache, asked):
    with pytest.raises(SpecError, match=r"hub\.invalid is not known here.*hf download"):
        Hub(revision=COMMIT, cache=str(cache)).fetch("data/de_de/test.tsv")
