"""What people's corrections are worth, and how long they hold: the ground truth says what a person would."""
