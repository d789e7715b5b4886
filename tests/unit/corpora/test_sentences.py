# ruff: noqa: RUF001 (texts in scripts whose letters look like Latin ones)
import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.corpora.sentences import (
    cut_phrase,
    find_package,
    join_phrases,
    parse_sample_text,
    passages,
    phrases,
    read_passages,
)
from otoscope.errors import MissingExtraError, SpecError

FILE = r"""id: "xx_Latn"
region: "A\"}"
exemplar_chars {
  base: "a b c"
}
sample_text {
  masthead_full: "Aa"
  specimen_21: "One is here.\nTwo is \"there\"; a \\ back."
  specimen_16: "First"
    " part, second part."
  tester: "Two is"
  styles: "TWO IS \"THERE\""
}
population: 12
"""
SPACES = 1.2  # a part is a share of its phrase by characters, of which the space at a cut is lost: one in six at most
words = st.lists(st.text("abcdé", min_size=1, max_size=9), min_size=1, max_size=30)


def test_the_block_is_read_field_by_field():
    assert parse_sample_text(FILE) == {
        "masthead_full": "Aa",
        "specimen_21": 'One is here.\nTwo is "there"; a \\ back.',
        "specimen_16": "First part, second part.",
        "tester": "Two is",
        "styles": 'TWO IS "THERE"',
    }
    assert parse_sample_text('id: "xx"\n') == {}


def test_passages_are_the_long_ones_first_without_repetitions():
    assert passages(parse_sample_text(FILE)) == (
        "First part, second part.",
        "One is here.",
        'Two is "there"; a \\ back.',
    )
    assert passages({"specimen_16": "All, all.\nAll, all.\n\n", "specimen_21": "all, all"}) == ("All, all.",)


@pytest.mark.parametrize(
    ("line", "cut"),
    [
        ("One, two; three.", ("One,", "two;", "three.")),
        ("人人生而自由,在尊严。他们", ("人人生而自由,", "在尊严。", "他们")),
        ("自由、正義，和平；", ("自由、", "正義，", "和平；")),
        ("हैं। सभी॥ को", ("हैं।", "सभी॥", "को")),
        ("الحرية، والعدل؛ هل؟ نعم۔", ("الحرية،", "والعدل؛", "هل؟", "نعم۔")),
        ("ነጻነት፣ እና። ", ("ነጻነት፣", "እና።")),
        ("Մարդիկ, են։", ("Մարդիկ,", "են։")),
        ("1,000 years... - , end", ("1,000 years.", "end")),
    ],
)
def test_phrases_end_where_each_script_ends_them(line, cut):
    assert phrases([line]) == cut


@given(words=words, n_parts=st.integers(1, 8))
def test_cutting_loses_nothing_and_keeps_words_whole(words, n_parts):
    phrase = " ".join(words)
    parts = cut_phrase(phrase, n_parts)
    assert 1 <= len(parts) <= n_parts
    assert "".join(parts).replace(" ", "") == phrase.replace(" ", "")
    if len(words) > 2 * n_parts:
        assert " ".join(parts) == phrase
        assert len(parts) == n_parts or max(map(len, words)) > len(phrase) / (n_parts + 1) - 1


def test_a_script_without_spaces_is_cut_into_equal_parts():
    assert cut_phrase("人人生而自由在尊严", 3) == ("人人生", "而自由", "在尊严")


def numbered(n):
    """Phrases of 60 words each, no two words alike."""
    return [" ".join(f"w{i:02d}{j:02d}" for j in range(60)) for i in range(n)]


@given(
    durations=st.lists(st.floats(0.1, 20), min_size=1, max_size=40),
    least_s=st.floats(0.5, 3),
    most_s=st.floats(1, 5),
)
def test_sentences_are_in_order_and_no_longer_than_asked(durations, least_s, most_s):
    pieces = numbered(len(durations))
    sentences = join_phrases(pieces, durations, least_s=least_s, most_s=most_s)
    spoken = " ".join(sentences)
    assert spoken == " ".join(pieces)[: len(spoken)]
    word_s = {word: d / 60 for piece, d in zip(pieces, durations, strict=True) for word in piece.split()}
    longest_word_s = max(word_s.values())  # cuts fall between words
    for sentence in sentences:
        lasts_s = sum(word_s[word] for word in sentence.split())
        assert 0.99 * least_s < lasts_s < SPACES * least_s + most_s + longest_word_s
    assert sum(word_s.values()) - sum(word_s[word] for word in spoken.split()) < SPACES * least_s + longest_word_s


def test_short_phrases_are_joined_and_long_ones_cut():
    pieces = ["one,", "two,", "three and four and five and six", "seven"]
    assert join_phrases(pieces, [1.0, 1.5, 8.0, 1.0], least_s=2.4, most_s=4.6) == (
        "one, two,",
        "three and four",
        "and five and six",
    )


def test_no_sentence_is_a_part_of_another():
    pieces = ["all are free", "All are free.", "they say all are free and equal", "equal"]
    assert join_phrases(pieces, [3.0] * 4, least_s=2.0, most_s=4.0) == ("they say all are free and equal",)


def test_a_missing_package_says_how_to_install_it():
    with pytest.raises(MissingExtraError, match=r"a-package is not installed; .* pip install 'otoscope\[demo\]'"):
        find_package("no_such_module_anywhere", "a-package")


needs_texts = pytest.mark.skipif(
    importlib.util.find_spec("gflanguages") is None, reason="gflanguages is not installed"
)


@needs_texts
def test_the_text_of_english_is_the_declaration():
    found = read_passages("en_Latn")
    assert "No one shall be subjected to arbitrary arrest, detention or exile." in found
    assert len(found) == len(set(found)) > 5


@needs_texts
@pytest.mark.parametrize(("text_id", "reason"), [("xx_Xxxx", "has no language"), ("kam_Latn", "has no sample text")])
def test_a_language_without_text_is_refused(text_id, reason):
    with pytest.raises(SpecError, match=reason):
        read_passages(text_id)
