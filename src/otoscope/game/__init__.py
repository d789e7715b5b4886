"""The Music Memory Game: schedules, the web experiment, its storage, and scores of what listeners answered."""
