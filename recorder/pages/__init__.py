"""Pages of the recorder inside the console's frame: coverage of a camera, retention, the archive check."""
