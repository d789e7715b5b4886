"""Look inside what audio models hear."""

__version__ = "0.1.0"
