"""What runs beside the connector: Grafana's dashboard, Prometheus's rules. Not part of the package."""
