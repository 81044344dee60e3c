"""The dashboard as code: `python -m deploy.grafana` writes redo-connector.json.

`dashboard` says what is shown, `panels` how a panel looks. Needs Grafana 10 or newer.
"""
