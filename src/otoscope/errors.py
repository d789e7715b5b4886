"""The exception tree of otoscope.

Every exception carries a message that says where something happened, what was got, what is accepted and the way
out. All arguments are positional, so that an exception survives pickling between processes.

::

    OtoscopeError
    ├── SpecError (ValueError)            a setting, a name or a command that cannot be
    │   └── RunConflictError              a run directory made with other settings
    ├── SourceGoneError                   sound that was there when the work was planned, and is gone
    ├── UnitError (ValueError)            a quantity in the wrong unit
    ├── MergeError (ValueError)           statistics that may not be added to each other
    ├── DataError (ValueError)            one clip that cannot be used, and why
    │   ├── AlignmentError                a clip whose clocks do not meet
    │   └── PassingError                  a clip that cannot be used now, and may be another time
    ├── LeakageError (ValueError)         a group on two sides of a split
    ├── UndefinedMetricError (ValueError) a score that has no value on these data
    └── MissingExtraError (ImportError)   an optional package that is not installed
"""

from __future__ import annotations

__all__ = [
    "AlignmentError",
    "DataError",
    "LeakageError",
    "MergeError",
    "MissingExtraError",
    "OtoscopeError",
    "PassingError",
    "RunConflictError",
    "SourceGoneError",
    "SpecError",
    "UndefinedMetricError",
    "UnitError",
]


class OtoscopeError(Exception):
    """Root of every exception that otoscope raises on purpose."""


class SpecError(OtoscopeError, ValueError):
    """A setting, a name or a combination of settings that cannot be."""


class RunConflictError(SpecError):
    """A run directory was made with other settings than those asked for now."""


class SourceGoneError(OtoscopeError):
    """Sound that was there when the work was planned is gone: a folder was moved, a disk taken away."""


class UnitError(OtoscopeError, ValueError):
    """A quantity is in another unit than the one needed."""


class MergeError(OtoscopeError, ValueError):
    """Two statistics may not be added: other columns, dimensions or shifts."""


class DataError(OtoscopeError, ValueError):
    """One clip cannot be used.

    Parameters
    ----------
    clip_id : str
        The clip.
    problem : str
        What is wrong with it, and where that can be said, the way out.
    """

    def __init__(self, clip_id: str, problem: str) -> None:
        super().__init__(clip_id, problem)
        self.clip_id = clip_id
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.clip_id}: {self.problem}"


class AlignmentError(DataError):
    """The clocks of a clip's labels and its states do not meet."""


class PassingError(DataError):
    """One clip cannot be used now, and may be another time: memory did not suffice."""


class LeakageError(OtoscopeError, ValueError):
    """A group key stands on two sides of a split."""


class UndefinedMetricError(OtoscopeError, ValueError):
    """A score has no value on these data (no frames, or no variance)."""


class MissingExtraError(OtoscopeError, ImportError):
    """An optional package is needed and not installed.

    Parameters
    ----------
    package : str
        What could not be imported.
    remedy : str
        The command that installs it.
    """

    def __init__(self, package: str, remedy: str) -> None:
        super().__init__(package, remedy)
        self.package = package
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.package} is not installed; install it with: {self.remedy}"
