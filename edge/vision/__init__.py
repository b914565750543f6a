"""Images as arrays, without a camera and without a network: arrays in, values out.

`Frame` (frame.py) is what a camera gives. `Fit` and `prepare` (fit.py) make the model's input from
it and say with a `Placement` (placement.py) where it lies in the frame; `Geometry` (geometry.py,
lens.py, rectify.py) corrects lens and tilt, `Aligner` (aligner.py, pose_search.py) brings parts
upright. `judge` (judge.py, roi.py) makes a verdict from score,
heatmap and `Calibration` (calibration.py). `read_image` and `find_images` (image_files.py) read
files, which decode.py, jpeg.py and tiff.py decode; `good_images` (good_parts.py) takes those of
good parts, by the names of folders (folder_names.py) and by labels (labels.py, label_files.py).
near_duplicates.py, drift_features.py, crops.py and marked_images.py compare, describe, show and
label frames.
"""
