"""What is done to a finished season: corrections applied, people named, found and forgotten. Without Ray."""
