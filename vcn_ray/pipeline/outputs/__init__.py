"""What a title and a season deliver: tables, cast, pages; as found, and as people corrected them."""
