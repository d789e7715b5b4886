"""What the pitch was: F0 tracks, the trackers that make them, and the cache of their labels."""

from otoscope.f0.base import F0Track as F0Track
from otoscope.f0.tracking import track as track
