"""The inspecting process: the loop, and what it needs beside camera, engine and log."""
