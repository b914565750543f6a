"""The steps of a product's page, in the order of the way to a running line."""
