"""Linear probes from additive statistics: moments, pools, solving, scoring."""
