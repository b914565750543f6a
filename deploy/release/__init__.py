"""Seals, activates, rolls back, exports and imports versions of a product."""
