"""Arrays in, numbers out: splits by group, scores from sums, intervals. Knows no audio."""
