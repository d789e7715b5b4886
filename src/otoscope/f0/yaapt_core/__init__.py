"""The numerical core of the YAAPT trackers: filters, energies, spectral and temporal candidates, cheapest paths."""
