"""The simulated line: pictures of parts with known defects, drawn from a seed."""
