"""The page as HTML: sentences for facts, the stations between OMS and Redo, and the templates. Must not know HTTP."""
