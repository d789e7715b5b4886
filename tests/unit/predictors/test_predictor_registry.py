import pytest

from otoscope.errors import SpecError
from otoscope.predictors.registry import PREDICTORS, open_predictor

CANONICAL = [
    *PREDICTORS,
    "svr:epsilon=0.1",
    "svr:c=3.0,gamma=0.1,tune=off",
    "ridge:aggregate=max",
    "mlp:bag=3,dropout=0.0",
    "fusion:base=svr,how=stack",
    "svr@audmem:aggregate=mean,zscore=train",
]


@pytest.mark.parametrize("spec", CANONICAL)
def test_a_canonical_name_opens_what_has_that_name(spec):
    assert open_predictor(spec).name == spec


def test_other_ways_to_write_a_name_come_to_the_canonical_one():
    assert open_predictor(" svr : tune=no, c=3 ").name == "svr:c=3.0,tune=off"
    assert open_predictor("fusion:how=mean").name == "fusion"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("svm", "no predictor is called 'svm'; choose from .*did you mean 'svr'"),
        ("svr:C=1", "svr: has no setting 'C'; choose from aggregate, c, epsilon"),
        ("svr:c=0,tune=off", "c is '0'; it takes a number from 1e-06"),
        ("svr:c=3", "add tune=off"),
        ("svr:aggregate=median", "choose from max, mean"),
        ("fusion:how=stac", "did you mean 'stack'"),
        ("mean:a=1", "has no setting 'a'"),
        ("svr:", "followed by nothing"),
        ("mlp:bag=2.5", "bag is '2.5'"),
        ("svr@audmem:zscore=test", "choose from fold, train"),
    ],
)
def test_what_is_not_known_is_answered_with_what_is(spec, message):
    with pytest.raises(SpecError, match=message):
        open_predictor(spec)


def test_shifts_and_seed_reach_those_that_use_them():
    predictor = open_predictor("svr", shifts=(2, -1), seed=7)
    assert (predictor.shifts, predictor.seed) == ((-1.0, 2.0), 7)
    assert open_predictor("noise", shifts=(2, -1), seed=7).seed == 7
    with pytest.raises(SpecError, match="shifts are"):
        open_predictor("mean", shifts=(0,))


def test_every_entry_says_what_it_is():
    for name, entry in PREDICTORS.items():
        assert entry.summary
        assert all(setting.meaning for setting in entry.settings.values()), name
