"""`python -m otoscope.f0.yaapt_core`: compile the core now, rather than at its first use."""

from __future__ import annotations

import sys

from otoscope.f0.yaapt_core.warming import warm_up

__all__ = ["main"]


def main() -> None:
    """Compile, and say how long it took."""
    sys.stdout.write(f"the core of YAAPT is compiled; this took {warm_up():.1f} s\n")


if __name__ == "__main__":
    main()
