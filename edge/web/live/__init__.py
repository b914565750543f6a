"""The live page: what a station judges now, its state, and the requests that change it."""
