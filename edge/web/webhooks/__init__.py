"""Webhooks: what happens at the stations is sent to addresses that administrators register.

watcher.py reads the archive from a position that is kept, so that nothing is missed while this
program is down; store.py queues a delivery for each hook in the same transaction; sender.py sends
them, signed, and tries again until the hook is disabled.
"""
