"""Simulated anomalies, drawn on images of good parts."""
