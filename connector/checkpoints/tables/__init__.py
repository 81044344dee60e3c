"""The logic of the checkpoint store, table by table: functions on a session, inside the caller's transaction."""
