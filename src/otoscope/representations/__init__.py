"""What a model heard: layers of states with their own clocks, and the models that give them."""
