"""Options of `draem bridge`, one file per protocol."""
