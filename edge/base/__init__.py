"""What every other package uses; imports nothing of this project.

`errors` (the tree of errors that the user can fix), `files` (atomic writes, locks, digests),
`closeable` (`Closeable`), `console` (progress bars), `html_page` (reports), `service` (systemd),
`validation` (JSON as models).
"""
