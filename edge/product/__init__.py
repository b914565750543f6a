"""A product's folder: its manifest, its versions, and the seal of a released one."""
