"""The end-to-end oracle: random changes to whole schemas, after which Redo must hold the mapping's answer exactly."""
