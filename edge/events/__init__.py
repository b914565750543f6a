"""Events: what a station publishes, logs and answers requests about.

`event` (headers and codes), `encoding` (messages on the wire), `journal` (the log's writer) with
`retention` and `cursors`, `journal_reader`, `publisher.Publisher`, `subscriber.events` (every event
once and in order), `client.RequestClient` and `server.RequestServer` (requests), `keys` and
`access_list` (who may connect). Knows no camera, no product and no network.
"""
