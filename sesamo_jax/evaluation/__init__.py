"""Reports on trained models."""
