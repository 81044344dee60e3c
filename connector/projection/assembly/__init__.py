"""The analysed mapping, as SQL that is run for some orders. Must not know why an order is asked for."""
