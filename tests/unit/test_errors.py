"""Exceptions keep what they say between processes, and stand where the tree says."""

import inspect
import pickle

import pytest

from otoscope import errors
from otoscope.errors import AlignmentError, DataError, MissingExtraError, OtoscopeError

ARGUMENTS = {
    "AlignmentError": ("fleurs/zu/12", "no frame is covered"),
    "DataError": ("fleurs/zu/12", "holds no samples"),
    "PassingError": ("fleurs/zu/12", "memory did not suffice"),
    "MissingExtraError": ("gflanguages", "pip install 'otoscope[demo]'"),
}
PARENTS = {
    "OtoscopeError": (Exception,),
    "SpecError": (OtoscopeError, ValueError),
    "RunConflictError": (errors.SpecError, ValueError),
    "SourceGoneError": (OtoscopeError,),
    "UnitError": (OtoscopeError, ValueError),
    "MergeError": (OtoscopeError, ValueError),
    "DataError": (OtoscopeError, ValueError),
    "AlignmentError": (DataError, ValueError),
    "PassingError": (DataError, ValueError),
    "LeakageError": (OtoscopeError, ValueError),
    "UndefinedMetricError": (OtoscopeError, ValueError),
    "MissingExtraError": (OtoscopeError, ImportError),
}


def make(name):
    return getattr(errors, name)(*ARGUMENTS.get(name, (f"{name}: what was got; what is accepted",)))


def test_the_table_of_this_test_is_the_whole_tree():
    there = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert there == set(PARENTS) == set(errors.__all__)


@pytest.mark.parametrize("name", errors.__all__)
def test_every_exception_stands_below_its_parents_and_nothing_else_of_ours(name):
    kind = getattr(errors, name)
    assert all(issubclass(kind, parent) for parent in PARENTS[name])
    ours = {k for k in kind.__mro__ if k.__module__ == errors.__name__} - {kind}
    assert ours == {k for parent in PARENTS[name] for k in parent.__mro__ if k.__module__ == errors.__name__}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", errors.__all__)
def test_every_exception_survives_pickling_with_its_message_and_fields(name, protocol):
    error = make(name)
    back = pickle.loads(pickle.dumps(error, protocol))
    assert type(back) is type(error)
    assert str(back) == str(error) != ""
    assert back.args == error.args
    for field in ("clip_id", "problem", "package", "remedy"):
        assert getattr(back, field, None) == getattr(error, field, None)


@pytest.mark.parametrize("kind", [DataError, AlignmentError])
def test_an_error_about_a_clip_names_the_clip_and_the_problem(kind):
    error = kind("fleurs/zu/12", "holds no samples")
    assert (error.clip_id, error.problem) == ("fleurs/zu/12", "holds no samples")
    assert str(error) == "fleurs/zu/12: holds no samples"


def test_a_missing_package_comes_with_the_command_that_installs_it():
    error = MissingExtraError("gflanguages", "pip install 'otoscope[demo]'")
    assert (error.package, error.remedy) == ("gflanguages", "pip install 'otoscope[demo]'")
    assert str(error) == "gflanguages is not installed; install it with: pip install 'otoscope[demo]'"
