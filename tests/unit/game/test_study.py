"""The folder of a study: whole, or not there; never over somebody's answers."""

import json
import stat

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.game.asked_schedule import schedule_settings
from otoscope.game.settings import StudySettings
from otoscope.game.study import Study, new_study

FILES = {
    "study.toml",
    "clips.csv",
    "practice.csv",
    "clips",
    "schedules.json",
    "proof.json",
    "proof.txt",
    "texts",
    "admin-token",
}


def test_a_new_study_has_all_its_parts_and_opens_again(study, small_settings):
    assert {path.name for path in study.folder.iterdir()} == FILES
    assert study.settings == small_settings
    again = Study.open(study.folder)
    assert again.plan(5) == study.plan(5)
    assert (study.n_slots, study.n_phases, study.n_seats, study.clip_s) == (16, 2, 13, 0.5)


def test_the_proof_is_written_and_holds(study):
    assert all(proof["holds"] for proof in json.loads((study.folder / "proof.json").read_text()))
    assert "constraints hold" in (study.folder / "proof.txt").read_text()


def test_the_admin_token_is_long_and_for_its_owner_only(study):
    assert len(study.admin_token()) == 43
    assert stat.S_IMODE((study.folder / "admin-token").stat().st_mode) == 0o600
    assert Study.open(study.folder).admin_token() == study.admin_token()


def test_a_plan_keeps_to_its_template(study):
    for seat in range(study.n_seats):
        first = {}
        for slot, planned in zip(study.template.slots, study.plan(seat), strict=True):
            clip = planned.clip.clip_id
            assert (planned.role, planned.presentation, planned.lag) == (slot.role, slot.presentation, slot.lag)
            if planned.presentation == 2:
                assert planned.lag == planned.slot - first[clip].slot
                assert planned.crossed == planned.phase - first[clip].phase
            else:
                assert clip not in first
                assert planned.crossed is None
                first[clip] = planned


def test_a_study_is_not_made_over_another_or_over_anything(study, clips_folder, small_settings, tmp_path):
    with pytest.raises(SpecError, match="holds a study"):
        new_study(study.folder, clips_folder, small_settings)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(SpecError, match="is not empty"):
            new_study(tmp_path / "other", clips_folder, small_settings, overwrite=overwrite)
    assert (tmp_path / "other" / "notes.txt").read_text() == "mine"
    with pytest.raises(SpecError, match="holds the clips themselves"):
        new_study(clips_folder, clips_folder, small_settings, overwrite=True)


def test_a_study_with_responses_is_never_overwritten(study, clips_folder, small_settings, make_player):
    make_player()
    before = (study.folder / "clips.csv").read_text()
    with pytest.raises(SpecError, match="has responses"):
        new_study(study.folder, clips_folder, small_settings, overwrite=True)
    assert (study.folder / "clips.csv").read_text() == before


def test_a_study_made_anew_keeps_edited_texts_and_its_token(study, clips_folder, small_settings):
    token = study.admin_token()
    (study.folder / "texts" / "consent.en.md").write_text("My own words.")
    made = new_study(study.folder, clips_folder, small_settings, overwrite=True)
    assert made.study.text("consent", "en") == "My own words.\n"
    assert made.study.admin_token() == token
    assert {clip.clip_id for clip in made.study.clips}.isdisjoint(clip.clip_id for clip in study.clips)
    assert len(list((study.folder / "clips").iterdir())) == len(made.study.clips) + len(made.study.practice_clips)


def test_a_study_that_cannot_be_leaves_nothing_behind(clips_folder, tmp_path, small_settings):
    asked = small_settings.model_copy(update={"schedule": {"n_slots": 16, "n_targets": 9}})
    with pytest.raises(SpecError, match="n_targets"):
        new_study(tmp_path / "new", clips_folder, asked)
    assert not (tmp_path / "new").exists() or not any((tmp_path / "new").iterdir())


@pytest.mark.parametrize("part", sorted(FILES - {"admin-token", "practice.csv", "proof.json", "proof.txt"}))
def test_a_study_without_a_part_says_which(study, part):
    path = study.folder / part
    path.rename(study.folder / "away")
    with pytest.raises(SpecError, match=part.split(".")[0]):
        Study.open(study.folder)


def test_a_clip_that_was_changed_is_noticed(study):
    path = study.folder / "clips" / f"{study.clips[3].clip_id}.wav"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SpecError, match=f"clip {study.clips[3].clip_id} .* is missing or damaged"):
        Study.open(study.folder)


def test_a_clip_id_that_is_a_path_is_refused(study):
    path = study.folder / "clips.csv"
    path.write_text(path.read_text().replace(study.clips[0].clip_id, "../../etc/passwd"))
    with pytest.raises(SpecError, match="is damaged"):
        Study.open(study.folder)


def test_the_version_of_a_consent_changes_with_its_words_and_old_words_are_kept(study):
    before, text = study.consent("en")
    path = study.folder / "texts" / "consent.en.md"
    path.write_text(path.read_text() + "\nMore.\n")
    after, _ = study.consent("en")
    assert after != before
    study.keep_consents()
    kept = {p.name for p in (study.folder / "texts" / "versions").iterdir()}
    assert {f"consent.en.{before}.md", f"consent.en.{after}.md"} <= kept
    assert (study.folder / "texts" / "versions" / f"consent.en.{before}.md").read_text() == text


def test_texts_say_what_the_settings_say(study):
    for language in study.settings.languages:
        text = study.text("consent", language)
        assert "{" not in text
        assert "18" in text


def test_clips_are_balanced_over_a_cycle_of_seats(study):
    targets = np.zeros(len(study.clips), dtype=int)
    index = {clip.clip_id: place for place, clip in enumerate(study.clips)}
    for seat in range(study.n_seats):
        for slot in study.plan(seat):
            if slot.role == "target" and slot.presentation == 2:
                targets[index[slot.clip.clip_id]] += 1
    assert targets.min() == targets.max() > 0


def test_a_preset_may_be_changed_and_the_default_fits_the_clips():
    asked = StudySettings(schedule={"preset": "reference-405", "n_slots": None, "minutes": 60, "phase_pairs": None})
    assert schedule_settings(asked, n_clips=500, clip_s=5.0).minutes == 60
    assert schedule_settings(StudySettings(), n_clips=30, clip_s=5.0).counts().n_items <= 30
    with pytest.raises(SpecError, match=r"schedule.preset is 'shrt'; .*did you mean 'short'"):
        schedule_settings(StudySettings(schedule={"preset": "shrt"}), n_clips=99, clip_s=5.0)
    with pytest.raises(SpecError, match="set it in timing only"):
        schedule_settings(StudySettings(schedule={"gap_s": 9.0}), n_clips=99, clip_s=5.0)
    with pytest.raises(SpecError, match="n_slot"):
        schedule_settings(StudySettings(schedule={"n_slot": 9}), n_clips=99, clip_s=5.0)


def test_exclusions_that_cannot_be_are_refused_before_anybody_plays(study, small_settings, clips_folder, tmp_path):
    settings = small_settings.model_copy(update={"exclusions": {"vigilanc": 0.5}})
    with pytest.raises(SpecError, match="did you mean 'vigilance'"):
        new_study(tmp_path / "other", clips_folder, settings)
    assert not (tmp_path / "other").exists()
    path = study.folder / "study.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[exclusions]\n", "[exclusions]\nvigilanc = 0.5\n"), encoding="utf-8")
    with pytest.raises(SpecError, match="did you mean 'vigilance'"):
        Study.open(study.folder)
