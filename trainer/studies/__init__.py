"""Measurements of networks and options on images with known defects."""
