"""Laws over the angles of U(1)."""
