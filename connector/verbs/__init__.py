"""The verbs, in groups. Each reads the settings, calls one function of `app` or a neighbour, prints, and exits."""
