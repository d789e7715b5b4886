"""What the pitch was: F0 tracks, the trackers that make them, and the cache of their labels."""
