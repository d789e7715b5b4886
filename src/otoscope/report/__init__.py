"""Results in, pictures and tables out. Never refits."""
