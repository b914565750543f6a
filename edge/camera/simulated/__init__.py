"""The simulated line: photographs of good and defective parts, drawn from a seed.

`camera.LineCamera` is the camera of a `line://` address; `renderer.PartRenderer` draws one part.
The kinds of parts are in `part_kinds`, the light in `lighting`, the kinds of defects in `defects`.
"""
