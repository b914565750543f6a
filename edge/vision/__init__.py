"""Pictures as arrays: frame, fit, lens, regions of interest, verdict, image files."""
