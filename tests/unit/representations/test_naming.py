"""What was probably meant by a name that is not known."""

import pytest

from otoscope.errors import SpecError
from otoscope.representations.registry import open_model
from otoscope.representations.upstreams.cards import CARDS
from otoscope.representations.upstreams.naming import did_you_mean, known_like


@pytest.mark.parametrize("name", [card.name for card in CARDS])
def test_a_known_name_is_left_alone_and_found_again_without_its_second_last_letter(name):
    assert known_like(name) == ()
    assert known_like(name.upper()) == ()
    assert known_like(name[:-2] + name[-1])  # what is meant may be ambiguous: whisper-large-v


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("facebook/hubert-bse-ls960", ["facebook/hubert-base-ls960"]),
        ("meta/hubert-base-ls960", ["facebook/hubert-base-ls960"]),
        ("hubert-base-ls960", ["facebook/hubert-base-ls960"]),
        ("microsoft/wavlm-lage", ["microsoft/wavlm-large"]),
        ("mms", ["facebook/mms-300m", "facebook/mms-1b"]),
        ("acme/tiny", []),
        ("x", []),
        ("", []),
    ],
)
def test_what_is_near_is_found(typed, meant):
    assert list(known_like(typed)) == meant


@pytest.mark.parametrize("typed", ["whisper", "Whisper", "whispr", "openai/whisper"])
def test_a_word_for_a_family_finds_all_of_it(typed):
    assert known_like(typed) == tuple(card.name for card in CARDS if card.model_type == "whisper")


def test_the_question_shows_a_few():
    typed = "whisper"
    assert did_you_mean(typed, before="; ").startswith("; did you mean openai/whisper-tiny, openai/whisper-tiny.en, ")
    assert did_you_mean(typed).endswith(" or 8 more that `otoscope models` lists?")
    assert did_you_mean("acme/tiny", before="; ", after=" ") == ""


def test_a_bare_word_for_a_family_is_answered_with_its_checkpoints():
    with pytest.raises(SpecError, match="a folder or org/name; did you mean openai/whisper-tiny"):
        open_model("whisper")
