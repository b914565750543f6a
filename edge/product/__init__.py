"""A product's folder: what training makes, calibration completes, and the line runs.

products/<name>/<version>/     a version, never changed after its rename (versions.py):
    manifest.json              input, networks and the SHA-256 of each portable file (manifest.py)
    model.onnx, golden.npz, sources.json, and simulated.npz of one that was trained
    calibration.json, calibration/     once calibrated
    seal.json                  once released: the digest of the manifest (seal.py)
    engines/                   of this device, not portable
products/<name>/current        symlink to the version that runs
products/<name>/activations.jsonl      each change of `current` (activation_log.py)

`load_product` (product.py) reads and checks a version as a `Product`; `new_version`,
`finish_version` and `change_current` (versions.py) write one and make it current.
"""
