"""Accounts of the page: roles, passwords (argon2), sessions and lock-out, in one SQLite file."""
