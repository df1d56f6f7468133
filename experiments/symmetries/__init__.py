"""The study of symmetries: what they cost, and systems of several kinds."""
