"""Helpers that several tests and measuring programs share."""
