"""History: inspected parts found again by any of their properties, and all that is known of one."""
