"""Who somebody is: references from pictures or an earlier season, names by evidence, and a search for a person."""
