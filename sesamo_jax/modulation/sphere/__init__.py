"""Laws over the directions of O(N)."""
