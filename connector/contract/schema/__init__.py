"""Redo's order as types: its models, their fields, and pydantic's errors in plain words."""
