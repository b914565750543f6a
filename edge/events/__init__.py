"""Events: their schema, the log that holds them, and the sockets that publish and replay them.

Knows no camera and no network weights."""
