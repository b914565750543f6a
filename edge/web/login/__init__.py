"""Logging in and out, and the first administrator: plain HTML forms, without a script."""
