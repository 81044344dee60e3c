"""What must hold before a connector starts: source, mapping, Redo and store, looked at and left alone."""
