"""The command line ``vcn-ray``: commands, what they are given, what they print."""
