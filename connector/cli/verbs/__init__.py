"""The verbs, in groups. Each reads the settings, calls one function of a room below, prints, and exits."""
