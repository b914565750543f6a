"""The threshold and its bounds, from the scores of held-out good parts."""
