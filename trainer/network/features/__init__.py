"""DRAEM on the features of a frozen pretrained encoder: `FeatureDraem`, `load_encoder`."""
