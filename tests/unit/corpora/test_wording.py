from pathlib import Path

import pytest

from otoscope.corpora.wording import counted, did_you_mean, joined, problem_of, some_of


def test_one_thing_has_no_plural():
    assert [counted(n, "clip") for n in (0, 1, 2)] == ["0 clips", "1 clip", "2 clips"]


def test_a_list_is_written_as_in_a_sentence():
    assert [joined(list("abc"[:n]), "or") for n in (1, 2, 3)] == ["a", "a or b", "a, b or c"]


@pytest.mark.parametrize(("n", "said"), [(0, ""), (2, "0, 1"), (3, "0, 1 and 1 more")])
def test_of_many_names_the_first_are_written(n, said):
    assert some_of([str(k) for k in range(n)], most=2) == said


def test_a_near_name_is_asked_for_and_a_far_one_is_not():
    assert did_you_mean("Tonol", ["none", "tonal"]) == "did you mean 'tonal'?"
    assert did_you_mean("x", ["none", "tonal"]) == ""


def test_the_words_of_the_system_come_without_number_and_path():
    with pytest.raises(OSError, match="nowhere") as caught:
        Path("/nowhere/at/all").read_text()
    assert problem_of(caught.value) == "No such file or directory"
    assert problem_of(OSError("Failed to open. Detail: [errno 2] x")) == "Failed to open"
    assert problem_of(ValueError("bad header.")) == "bad header"
