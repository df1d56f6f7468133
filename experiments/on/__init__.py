"""The study of O(N) fields."""
