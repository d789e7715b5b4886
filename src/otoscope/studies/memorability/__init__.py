"""The memorability study: how well people will remember this music, and why."""
