"""GigE Vision and USB3 Vision cameras, through Aravis.

`camera.GenicamCamera` is one connection to one camera; `camera_settings.parse` reads its address,
`configure.apply` writes the settings, `pixel_formats.to_image` decodes its pictures, `chunks` its
metadata. `aravis` loads the library and finds the cameras (`find_cameras`).
"""
