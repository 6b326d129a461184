"""Where videos are read and results are kept: a folder of this machine or an object store, one interface to both."""
