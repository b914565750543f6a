"""The two kinds of networks behind one seam, `Network`: on features (default) and on pixels.

`make_network` makes one from its `NetworkSpec`; `onnx_export.export` writes model.onnx of either.
"""
