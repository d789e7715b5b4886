"""A table of responses is read as it was meant, or refused with its line."""

from dataclasses import fields

import numpy as np
import pytest

from otoscope.errors import SpecError
from otoscope.game.responses import NONE, Responses, answer_codes, read_responses, write_responses
from otoscope.game.synthetic import ListenerModel, plain_slots, simulate_responses

FOREIGN = "session,slot,track,answer\na,0,x,new\na,1,y,new\na,2,x,repeat\na,4,y,new\na,3,z,knew\nb,0,y,new\n"
OWN = (
    "session,slot,track,role,presentation,lag,phase,crossed,answer,rt_ms,complete,headphones\n"
    "a,0,x,target,1,,0,,new,900.5,true,true\na,7,x,target,2,7,1,1,repeat,,true,true\n"
)


def read(tmp_path, text, **options):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return read_responses(path, **options)


def same(one, other):
    for field in fields(one):
        assert np.array_equal(
            getattr(one, field.name), getattr(other, field.name), equal_nan=field.name == "rt_ms"
        ), field.name


def test_what_is_written_is_read_back(tmp_path):
    model = ListenerModel(knew=0.1, timeout=0.1, no_headphones=0.5)
    slots = plain_slots(n_targets=6, n_vigilance=2, n_fillers=3, n_phases=2)
    made = simulate_responses(
        np.zeros(11), n_listeners=4, slots=slots, model=model, tracks=[f"{i}, é.wav" for i in range(11)]
    )
    write_responses(tmp_path / "made.csv", made)
    same(read_responses(tmp_path / "made.csv"), made)


def test_four_columns_are_enough(tmp_path):
    table = read(tmp_path, FOREIGN)
    assert table.session.tolist() == ["a"] * 5 + ["b"]
    assert table.slot.tolist() == [0, 1, 2, 3, 4, 0]
    assert table.track.tolist() == ["x", "y", "x", "z", "y", "y"]
    assert table.role.tolist() == ["target", "target", "target", "filler", "target", "filler"]
    assert table.presentation.tolist() == [1, 1, 2, 1, 2, 1]
    assert table.lag.tolist() == [NONE, NONE, 2, NONE, 3, NONE]
    assert table.crossed.tolist() == [NONE, NONE, 0, NONE, 0, NONE]
    assert table.complete.all()
    assert np.isnan(table.rt_ms).all()
    assert set(table.headphones.tolist()) == {NONE}


def test_phases_give_the_rests_that_were_crossed(tmp_path):
    text = "session,slot,track,answer,phase\na,0,x,new,0\na,1,y,new,1\na,2,x,new,2\na,3,y,new,2\n"
    assert read(tmp_path, text).crossed.tolist() == [NONE, NONE, 2, 1]


def test_short_lags_are_vigilance_if_asked(tmp_path):
    table = read(tmp_path, FOREIGN, vigilance_lag=2)
    assert table.role.tolist() == ["vigilance", "target", "vigilance", "filler", "target", "filler"]


def test_the_order_of_lines_does_not_matter(tmp_path, rng):
    header, *lines = FOREIGN.splitlines()
    whole = read(tmp_path, FOREIGN)
    for _ in range(5):
        same(read(tmp_path, "\n".join([header, *rng.permutation(lines).tolist()])), whole)


def test_other_spellings_are_mapped(tmp_path):
    numbers = FOREIGN.replace("new", "0").replace("repeat", "1").replace("knew", "-1").replace(",", ";")
    assert "k0" in numbers  # "knew" holds "new"
    same(read(tmp_path, numbers.replace("k0", "-1"), answers=answer_codes("numbers")), read(tmp_path, FOREIGN))
    words = FOREIGN.replace("answer", "said").replace("repeat", "OLD")
    codes = answer_codes("old=repeat, new=new, knew=knew")
    same(read(tmp_path, words, answers=codes, columns={"answer": "Said"}), read(tmp_path, FOREIGN))


def test_our_own_columns_are_taken_as_they_are(tmp_path):
    table = read(
        tmp_path, OWN.replace("headphones\n", "headphones,mood\n").replace("true,true\n", "true,true,fine\n")
    )
    assert table.lag.tolist() == [NONE, 7]
    assert table.crossed.tolist() == [NONE, 1]
    assert table.rt_ms[0] == 900.5
    assert np.isnan(table.rt_ms[1])
    assert table.headphones.tolist() == [1, 1]
    assert table.sessions == ("a",)
    assert table.tracks == ("x",)
    assert table.take(table.presentation == 2).n_rows == 1
    assert table.of_sessions(["b"]).n_rows == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("session,slot,track\na,0,x\n", "has no column 'answer'"),
        ("session,slot,track,answer\n", "a header and no rows"),
        ("session,slot,track,answer,slot\na,0,x,new,1\n", "has the column 'slot' twice"),
        ("session,slot,track,answer\na,0,x,new\na,1,y\n", "csv:3: has 3 cells, the header 4"),
        ("session,slot,track,answer\na,0,x,new\n\na,1,y,old\n", "csv:4: answer is 'old'; choose from new, repeat"),
        ("session,slot,track,answer\na,0,x,\n", "csv:2: answer is ''"),
        ("session,slot,track,answer\na,-1,x,new\n", "csv:2: slot is '-1'; a whole number, 0 or more"),
        ("session,slot,track,answer\na,1.5,x,new\n", "csv:2: slot is '1.5'"),
        ("session,slot,track,answer\na,nan,x,new\n", "csv:2: slot is 'nan'"),
        ("session,slot,track,answer\n,1,x,new\n", "csv:2: session is ''; a name is needed"),
        (
            "session,slot,track,answer\na,0,x,new\na,0,y,new\n",
            "csv:3: slot 0 of session 'a' stands on line 2 already",
        ),
        ("session,slot,track,answer\na,0,x,new\na,1,x,new\na,2,x,new\n", "csv:4: track 'x' appears a third time"),
        ("session,slot,track,answer,rt_ms\na,0,x,new,inf\n", "csv:2: rt_ms is 'inf'"),
        ("session,slot,track,answer,rt_ms\na,0,x,new,soon\n", "csv:2: rt_ms is 'soon'"),
        (OWN.replace(",true,true\na,7", ",maybe,true\na,7"), "csv:2: complete is 'maybe'; write true or false"),
        (OWN.replace(",true,true\na,7", ",,true\na,7"), "csv:2: complete is ''; write true or false"),
        (OWN.replace("900.5,true,true", "900.5,true,perhaps"), "csv:2: headphones is 'perhaps'"),
        (OWN.replace("target,2,7", "target,2,"), "csv:3: lag is ''"),
        (OWN.replace("target,1,,", "target,1,3,"), "csv:2: lag is '3'; first presentations have none"),
        (OWN.replace("target,2,7", "target,3,7"), "csv:3: presentation is '3'; 1 or 2 is needed"),
        (OWN.replace("a,0,x,target", "a,0,x,boss"), "csv:2: role is 'boss'; choose from target"),
        (
            "session,slot,track,answer,presentation\na,0,x,new,2\n",
            "csv:2: a second presentation comes without a first",
        ),
        (OWN.replace("target,2,7,1,1", "target,1,,1,"), "presentation 1 of 'x' stands twice in session 'a'"),
        ('session,slot,track,answer\na,0,"x,new\n', "is no CSV"),
    ],
)
def test_a_table_that_cannot_be_says_where(tmp_path, text, said):
    with pytest.raises(SpecError, match=r"table\.csv") as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_a_missing_file_and_a_wrong_name_are_told(tmp_path):
    with pytest.raises(SpecError, match="no such file"):
        read_responses(tmp_path / "none.csv")
    with pytest.raises(SpecError, match="'reply' is no column of ours"):
        read(tmp_path, FOREIGN, columns={"reply": "answer"})


@pytest.mark.parametrize("text", ["old", "old=gone", "=new", "a=new,a=repeat", ""])
def test_codes_that_cannot_be_are_refused(text):
    with pytest.raises(SpecError, match="write words or numbers"):
        answer_codes(text)


def test_columns_must_fit_each_other(tmp_path):
    table = read(tmp_path, OWN)
    columns = {field.name: getattr(table, field.name) for field in fields(table)}
    for name, value, said in (
        ("slot", np.array([1]), "slot has shape"),
        ("answer", np.array(["new", "old"]), "answer is 'old'"),
        ("lag", np.array([NONE, 0]), "lag is 0 at presentation 2"),
        ("crossed", np.array([0, 0]), "crossed is 0 at presentation 1"),
        ("slot", np.array([7, 7]), "slot 7 stands twice"),
        ("phase", np.array([0, -2]), "a phase is -2"),
    ):
        with pytest.raises(SpecError, match=said):
            Responses(**{**columns, name: value})
