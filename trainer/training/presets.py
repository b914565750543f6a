"""Named settings of a training: each network's defaults, the presets, the sizes."""

DEFAULTS: dict[str, dict[str, object]] = {
    "features": {},
    "pixels": {
        "schedule": "one-cycle",
        "max_minutes": None,
        "memory": 0,
        "height": 128,
        "width": 128,
        "rec_width": 16,
        "seg_width": 8,
        "steps": 4000,
        "batch": 4,
    },
}
"""What the default of each network is where it is not that of TrainSettings."""


PRESETS: dict[str, dict[str, object]] = {
    "default": {},
    "paper": {
        "network": "pixels",
        "height": 256,
        "width": 256,
        "rec_width": 128,
        "seg_width": 64,
        "score_window": "authors",
        "epochs": 700,
        "batch": 8,
        "learning_rate": 1e-4,
        "schedule": "steps",
        "init": "paper",
        "average": 0,
        "clip": 0,
        "rotation": 45,
        "simulation": "paper",
    },
}
"""The settings of each preset; options that are given replace them."""


SIZES = {"paper": (128, 64), "standard": (32, 16), "small": (16, 8), "tiny": (8, 4)}
"""Widths of the reconstructive and the discriminative network of pixels."""
