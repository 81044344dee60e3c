"""The page as HTML: words for facts, the stations of the road, and the templates. Must not know HTTP."""
