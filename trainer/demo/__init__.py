"""The demo: a simulated line from the first good part to a report."""
