"""Lens, tilt and millimetres of a station, from pictures of a calibration board."""
