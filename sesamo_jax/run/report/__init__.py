"""What a run found, as printed and as a page of its own; several runs side by side."""
