"""Migrations of the archive's tables, run by Alembic in the order of their names."""
