"""Laws over the elements of a finite group."""
