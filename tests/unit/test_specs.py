import pytest
from hypothesis import given
from hypothesis import strategies as st

from otoscope.errors import SpecError
from otoscope.specs import Setting, check_settings, name_with, parse_settings, split_list, split_spec, suggestion

FIELDS = {
    "count": Setting(3, "how many", least=0, most=9),
    "ratio": Setting(0.5, "of what", least=0.0),
    "mode": Setting("soft", "how", choices=("soft", "hard")),
    "strict": Setting(False, "whether"),
}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "count": st.integers(0, 9),
            "ratio": st.floats(0, 1e300),
            "mode": st.sampled_from(["soft", "hard"]),
            "strict": st.booleans(),
        },
    )
)
def test_a_canonical_name_reads_back_as_the_same_settings(values):
    defaults = {key: field.default for key, field in FIELDS.items()}
    name, text = split_spec(name_with("thing", FIELDS, values))
    assert name == "thing"
    assert {**defaults, **parse_settings(text, FIELDS, where="thing")} == {**defaults, **values}


def test_a_canonical_name_holds_what_differs_from_the_defaults_in_order():
    values = {"strict": True, "ratio": 2.0, "mode": "soft", "count": 4}
    assert name_with("thing", FIELDS, values) == "thing:count=4,ratio=2.0,strict=on"
    assert name_with("thing", FIELDS, {"count": 3}) == "thing"


def test_values_have_the_type_of_the_default():
    got = parse_settings("count=1, ratio=1 ,mode=hard,strict=yes", FIELDS, where="thing")
    assert got == {"count": 1, "ratio": 1.0, "mode": "hard", "strict": True}
    assert [type(value) for value in got.values()] == [int, float, str, bool]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cuont=1", r"no setting 'cuont'; choose from count, mode, ratio, strict; did you mean 'count'\?"),
        ("count=1,count=2", "count is set twice"),
        ("count", "'count' is no setting; write key=value"),
        ("count=", "'count=' is no setting"),
        ("=1", "'=1' is no setting"),
        ("count=1,,mode=hard", "'' is no setting"),
        ("count=1.5", "count is '1.5'; it takes a whole number from 0 to 9"),
        ("count=10", "count is '10'; it takes a whole number from 0 to 9"),
        ("ratio=-1", "ratio is '-1'; it takes a number, at least 0"),
        ("ratio=nan", "ratio is 'nan'"),
        ("ratio=inf", "ratio is 'inf'"),
        ("mode=herd", r"mode is 'herd'; choose from hard, soft; did you mean 'hard'\?"),
        ("strict=perhaps", "strict is 'perhaps'; it takes on or off"),
    ],
)
def test_what_is_not_accepted_is_named_with_what_is(text, message):
    with pytest.raises(SpecError, match=f"thing: .*{message}"):
        parse_settings(text, FIELDS, where="thing")


@pytest.mark.parametrize("values", [{"count": True}, {"count": 1.0}, {"count": -1}, {"mode": "loud"}, {"strict": 1}])
def test_python_values_of_another_type_or_range_are_refused(values):
    with pytest.raises(SpecError, match=f"thing: {next(iter(values))} is"):
        check_settings("thing", FIELDS, values)


def test_python_values_that_fit_pass_and_whole_numbers_are_numbers():
    check_settings("thing", FIELDS, {"count": 0, "ratio": 2, "mode": "hard", "strict": True})
    with pytest.raises(SpecError, match="no setting 'cuont'"):
        check_settings("thing", FIELDS, {"cuont": 1})


@pytest.mark.parametrize(("spec", "message"), [("", "the name is empty"), (":a=1", "empty"), ("a:", "by nothing")])
def test_a_spec_needs_a_name_and_something_after_its_colon(spec, message):
    with pytest.raises(SpecError, match=message):
        split_spec(spec)


def test_only_the_first_colon_parts_a_name_from_its_settings():
    assert split_spec(" a : b=c:d ") == ("a", "b=c:d")


@pytest.mark.parametrize(
    ("text", "specs"),
    [
        ("a,b", ["a", "b"]),
        ("a:x=1,y=2,b,c:z=3", ["a:x=1,y=2", "b", "c:z=3"]),
        (" a , ,b:x=1 ", ["a", "b:x=1"]),
        ("u:a:x=1#2,b", ["u:a:x=1#2", "b"]),
        ("", []),
    ],
)
def test_a_list_keeps_settings_with_their_name(text, specs):
    assert split_list(text) == specs


@pytest.mark.parametrize("text", ["x=1", "a,x=1"])
def test_a_setting_that_follows_no_name_is_refused(text):
    with pytest.raises(SpecError, match="'x=1' follows no name"):
        split_list(text)


def test_nothing_is_suggested_where_nothing_is_near():
    assert suggestion("zzz", ["count"]) == "choose from count"
    assert suggestion("zzz", []) == "there is nothing to choose"
