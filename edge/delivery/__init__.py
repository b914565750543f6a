"""Delivers kept pictures to a file server: SFTP, an SMB share, or a folder (`draem deliver`).

A process of its own reads a station's log from its cursor on, fetches each wanted picture from the
station, and writes it below a name that `template` makes of the event. `delivery.Delivery` is the
loop, `target.Target` the file server, `progress` what a restart must know.
"""
