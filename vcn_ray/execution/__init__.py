"""Who does the work of a run: this process, or Ray; what each has to offer is in `base`."""
