"""The one reader of environment and files: settings in, one frozen object out. Must not know any room but `model`."""
