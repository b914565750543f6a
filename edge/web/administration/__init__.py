"""Accounts of all people, one's own account, and the audit trail."""
