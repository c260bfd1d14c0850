"""Breaks what the recorder stands on (cameras, processes, disks, clocks, database) and judges what the archive says
afterwards."""
