"""Which of several connectors leads: waiting for it warm, leading for a term, handing it over."""
