"""How well a product does on labelled images."""
