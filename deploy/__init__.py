"""What runs beside the connector, how it is packaged, and what checks that. Not part of the package."""
