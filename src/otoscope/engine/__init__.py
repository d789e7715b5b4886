"""Where work is done: one function does a piece of it, and an engine decides in which process."""
