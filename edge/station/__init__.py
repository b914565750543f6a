"""The inspecting process of one station.

`open.run_station` opens camera, engine, log and sockets and starts `loop.run`; the loop uses
`inspector.Inspector` for each frame and `event_writer.EventWriter` for each event.
`settings.Station` holds the settings, `control.control` answers requests, and
`changeover.Changeover` changes the product.
"""
