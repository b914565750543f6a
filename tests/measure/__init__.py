"""Measuring programs and long runs, started by just; pytest collects none of them."""
