# ruff: noqa: RUF001 (texts in scripts whose letters look like Latin ones)
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.corpora.layout import (
    Row,
    audio_path,
    configs,
    normalise_text,
    parse_row,
    read_rows,
    table_path,
    write_rows,
)
from otoscope.errors import SpecError

# As a line of the published tables looks, with text of our own.
LINE = "1904\t10009414287632395082.wav\tThe sea, it's calm.\tthe sea it's calm\tt h e |\t108480\tFEMALE"
one_line = st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=["Cs"]))


def row(**changed):
    fields = {
        "sentence": 7,
        "file_name": "a.wav",
        "raw_transcription": "Yes, no.",
        "transcription": "yes no",
        "n_samples": 16_000,
        "gender": "MALE",
    }
    return Row(**{**fields, **changed})


def test_a_line_has_seven_columns_and_no_quoting():
    assert row().format() == "7\ta.wav\tYes, no.\tyes no\ty e s | n o\t16000\tMALE"
    assert parse_row(LINE) == Row(
        1904, "10009414287632395082.wav", "The sea, it's calm.", "the sea it's calm", 108_480, "FEMALE"
    )
    assert parse_row(row(raw_transcription='He said "yes').format()).raw_transcription == 'He said "yes'


@given(
    sentence=st.integers(0, 10**9),
    raw=one_line,
    plain=one_line,
    n_samples=st.integers(1, 10**9),
    gender=st.sampled_from(["MALE", "FEMALE", "OTHER"]),
)
def test_writing_and_reading_is_the_identity(tmp_path_factory, sentence, raw, plain, n_samples, gender):
    path = tmp_path_factory.getbasetemp() / "identity.tsv"
    rows = (Row(sentence, "a.wav", raw, plain, n_samples, gender), row(file_name="b.wav"))
    write_rows(path, rows)
    assert read_rows(path) == (rows, ())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1904\ta.wav", "has 2 columns; 7 between tabs are needed"),
        (LINE + "\textra", "has 8 columns"),
        (LINE.replace("1904", "x"), "the id of the sentence is 'x'; a whole number is needed"),
        (LINE.replace("1904", "-4"), "the id of the sentence is '-4'"),
        (LINE.replace("108480", "1e5"), "the number of samples is '1e5'"),
        (LINE.replace("108480", "0"), "the number of samples is 0; it must be above 0"),
        (LINE.replace("FEMALE", "female"), "the gender is 'female'; choose from MALE, FEMALE, OTHER"),
        (LINE.replace("10009414287632395082.wav", "../../a.wav"), "a plain name without folders is needed"),
        (LINE.replace("10009414287632395082.wav", ""), "the file name is ''"),
    ],
)
def test_a_bad_line_says_what_is_wrong(line, reason):
    with pytest.raises(SpecError, match=reason):
        parse_row(line)


def test_a_bad_line_costs_that_line_only(tmp_path):
    path = tmp_path / "train.tsv"
    other = LINE.replace("1000", "2000")
    content = f"{LINE}\r\n\nbroken\n{LINE}\n{other}\n".encode() + b"\xff\t\n"
    path.write_bytes(b"\xef\xbb\xbf" + content)
    rows, failures = read_rows(path, name="train")
    assert rows == (parse_row(LINE), parse_row(other))
    assert [(failure.clip_id, failure.stage) for failure in failures] == [
        ("train line 3", "corpus"),
        ("train line 4", "corpus"),
        ("train line 6", "corpus"),
    ]
    assert [failure.reason for failure in failures] == [
        "has 1 column; 7 between tabs are needed",
        "the file 10009414287632395082.wav was named in a line above; the first one stays",
        "is not UTF-8 at byte 1",
    ]


def test_a_line_end_of_unicode_does_not_end_a_line(tmp_path):
    path = tmp_path / "train.tsv"
    write_rows(path, [row(raw_transcription="one\u2028two\x85three\x0bfour")])
    assert read_rows(path)[0][0].raw_transcription == "one\u2028two\x85three\x0bfour"


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(SpecError, match=r"dev.tsv: cannot be read: No such file"):
        read_rows(tmp_path / "dev.tsv")


def test_a_tab_in_a_text_cannot_be_written():
    with pytest.raises(SpecError, match="holds a tab or a line end"):
        row(raw_transcription="a\tb")


def test_paths_are_those_of_fleurs(tmp_path):
    assert table_path(tmp_path, "en_us", "dev") == tmp_path / "data/en_us/dev.tsv"
    assert audio_path(tmp_path, "en_us", "dev", "1.wav") == tmp_path / "data/en_us/audio/dev/1.wav"


def test_languages_are_those_with_a_table(tmp_path):
    assert configs(tmp_path) == ()
    write_rows(table_path(tmp_path, "vi_vn", "test"), [row()])
    write_rows(table_path(tmp_path, "en_us", "train"), [])
    (tmp_path / "data" / "leftover").mkdir()
    (tmp_path / "data" / "note.txt").touch()
    assert configs(tmp_path) == ("en_us", "vi_vn")


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("Alle Menschen sind frei, und gleich.", "alle menschen sind frei und gleich"),
        ("人人生而自由,在尊严和权利上一律平等。", "人人生而自由 在尊严和权利上一律平等"),
        ("सभी मनुष्यों को गौरव।", "सभी मनुष्यों को गौरव"),
        ("می\u200cخواهم؟", "می\u200cخواهم"),
        ("  10 %  ", "10"),
    ],
)
def test_normal_text_keeps_letters_marks_and_digits(raw, plain):
    assert normalise_text(raw) == plain
