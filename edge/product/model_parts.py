"""Parts of model.onnx that reduced precisions leave alone, as their nodes' names begin."""

HEAD = "head/"
"""The last convolution, which gives the margin that the heatmap is made of."""
MEMORY = "memory/"
"""Distances to features of good parts, and what mixes them with the margin."""
