"""The shop that the sample OMS is of: its rows, and what people and programs do to them. Knows no connector."""
