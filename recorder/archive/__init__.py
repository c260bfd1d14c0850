"""Reading side of the archive: which footage lies on disk, and clips, playlists, spans and pictures made of it."""
