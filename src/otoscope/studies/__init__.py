"""The studies: each asks one question, and orchestrates the rooms below to answer it."""
