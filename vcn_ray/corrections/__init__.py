"""What people say of a season's result, anchored to tracks: stored, and applied to what clustering found."""
