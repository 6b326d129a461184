"""What people look at: HTML pages, CSV."""
