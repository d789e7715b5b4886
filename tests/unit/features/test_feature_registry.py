"""Groups of features by name."""

import pytest

from otoscope.errors import MissingExtraError, SpecError
from otoscope.features import harmony, registry
from otoscope.features.registry import DEFAULT, catalogue, lacking, open_groups, select


@pytest.fixture
def without_notes(monkeypatch):
    real = registry._missing
    why = "basic_pitch is not installed; install it with: pip install --no-deps basic-pitch"
    monkeypatch.setattr(registry, "_missing", lambda name: why if name == "notes" else real(name))


def test_groups_come_once_and_in_their_own_order():
    assert [group.name for group in open_groups("rhythm,harmony,rhythm")] == ["harmony", "rhythm"]
    assert [group.name for group in open_groups(["rhythm", "harmony"])] == ["harmony", "rhythm"]
    assert "opensmile" not in {group.name for group in open_groups("default")}


def test_unknown_and_empty_names_are_refused_with_what_is_accepted():
    with pytest.raises(SpecError, match="did you mean 'rhythm'"):
        open_groups("rythm")
    with pytest.raises(SpecError, match="is empty"):
        open_groups("")
    with pytest.raises(SpecError, match="no group of features is called 'x'"):
        select(catalogue(), ["x"])


@pytest.mark.usefixtures("without_notes")
def test_a_group_that_cannot_work_is_left_out_of_the_default_and_refused_by_name():
    assert "notes" not in {group.name for group in open_groups("default")}
    assert lacking() == {"notes": "basic_pitch is not installed; install it with: pip install --no-deps basic-pitch"}
    with pytest.raises(MissingExtraError, match=r"for the features notes.*pip install --no-deps basic-pitch"):
        open_groups("notes")


def test_the_catalogue_lists_every_feature_once_whether_its_group_works_or_not():
    rows = catalogue()
    ids = [feature.id for _, feature, _ in rows]
    assert len(set(ids)) == len(ids)
    assert {group.name for group, _, _ in rows} >= set(DEFAULT)
    assert [row[1].group for row in select(rows, ["rhythm"])] == ["rhythm"] * len(select(rows, ["rhythm"]))
    assert select(rows, ["default"]) == rows


def test_a_package_can_bring_a_group_of_its_own(monkeypatch):
    class Mood:
        name, title, version, licence, features = "mood", "Mood", "1", "MIT", ()

        def missing(self):
            return None

    class Point:
        name = "mood"

        def load(self):
            return Mood

    class Intruder(Point):
        name = "harmony"

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point(), Intruder()])
    registry._makers.cache_clear()
    try:
        assert [type(group) for group in open_groups("mood")] == [Mood]
        assert open_groups("harmony") == (harmony.GROUP,)
    finally:
        registry._makers.cache_clear()
