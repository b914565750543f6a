"""The images that training and evaluation read: good parts, labelled parts, anomaly sources."""
