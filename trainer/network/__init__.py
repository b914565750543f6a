"""DRAEM's two networks, their loss, and their export to ONNX."""
