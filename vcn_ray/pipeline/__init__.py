"""A title's work in its store, stage by stage; plain Python that knows nothing of Ray."""
