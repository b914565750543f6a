"""Tokens of programs that use the API."""
