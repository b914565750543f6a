"""One file for each action of 'draem archive'."""
