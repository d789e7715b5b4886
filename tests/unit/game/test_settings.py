"""Settings: defaults, errors that say what is wrong, and the way back to text."""

import pytest

from otoscope.errors import SpecError
from otoscope.game.settings import LANGUAGES, StudySettings, read_settings
from otoscope.game.settings_text import settings_toml


def read(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return read_settings(path)


def test_an_empty_file_gives_the_defaults(tmp_path):
    assert read(tmp_path, "") == StudySettings()


def test_what_is_written_is_read_again(tmp_path):
    settings = StudySettings.model_validate(
        {
            "title": 'Quotes " and \\ and\nlines, 音樂\x7f',
            "languages": ["zh-Hant"],
            "schedule": {"n_slots": 30, "lag_bins": [{"low": 2, "high": 5, "weight": 0.5}], "vigilance_lag": [3, 7]},
            "exclusions": {"vigilance": "off", "too_fast_ms": 150, "complete": True},
            "completion": {"code": "ABC", "redirects": {"sona": "https://x.example/?a={id}"}},
            "questions": [{"id": "years", "kind": "number", "text": {"zh-Hant": "?"}, "least": 0, "most": 5.5}],
        }
    )
    assert read(tmp_path, settings_toml(settings)) == settings
    assert read(tmp_path, settings_toml(StudySettings())) == StudySettings()
    nothing = StudySettings(questions=())
    assert read(tmp_path, settings_toml(nothing)) == nothing


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("titel = 'x'", "titel is no setting; .*did you mean 'title'"),
        ("[timing]\ngap = 3", "timing.gap is no setting; .*did you mean 'gap_s'"),
        ("[[questions]]\nid='a'\nkind='text'\ntext={en='x'}\nmaximum=3", "questions.0.maximum is no setting"),
        ("[timing]\nwindow_s = 4.0", "timing: window_s is 4 s, longer than the gap of 3 s"),
        ("[timing]\ngap_s = nan", "timing.gap_s"),
        ("languages = ['fr']", "languages.0: .*'en' or 'zh-Hant'.*got 'fr'"),
        ("languages = ['en', 'en']", "each once"),
        ("languages = []", "one or more"),
        ("[headphones]\npass_at = 7", "pass_at is 7, more than the 6 trials"),
        ("[keys]\nnew = ['J']", "one key stands twice"),
        ("[keys]\nnew = []", "at least one key"),
        ("[sound]\nformat = 'ogg'", "sound.format: .*'mp3', 'flac' or 'wav'"),
        ("[completion.redirects]\nprolific = 'http://x.example'", "does not begin with https"),
        ("[completion.redirects]\nprolific = 'https://{id}.example'", "host .* has to be written out"),
        ("[completion.redirects]\nprolific = 'https://x.example/{who}'", "{who} is none of id"),
        ("[[questions]]\nid='a'\nkind='choice'\ntext={en='x'}", "two or more choices"),
        ("[[questions]]\nid='a'\nkind='text'\ntext={en='x'}", "question a: has no text in zh-Hant"),
        ("minimum_age = 'old'", "minimum_age: .*got 'old'"),
        ("title = ", "is not TOML"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path, text, match):
    with pytest.raises(SpecError, match=match) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "study.toml"))


def test_all_problems_are_listed(tmp_path):
    with pytest.raises(SpecError) as caught:
        read(tmp_path, "titel = 'x'\nminimum_age = -1\n")
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SpecError, match="no such file"):
        read_settings(tmp_path / "none.toml")


def test_the_default_questions_speak_every_language():
    for question in StudySettings().questions:
        assert set(question.text) == set(LANGUAGES)
        assert all(set(choice.text) == set(LANGUAGES) for choice in question.choices)
