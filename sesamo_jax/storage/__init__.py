"""Files: read with care, replaced whole."""
