"""The report of a shift: a page to print, PDF and CSV; written into a folder when a shift ends."""
