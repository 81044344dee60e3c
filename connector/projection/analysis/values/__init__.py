"""What expressions in a mapping stand for. Must not know what conditions say of them."""
