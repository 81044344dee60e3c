"""The one road: affected keys are assembled, compared, pushed and checkpointed here, in that order and nowhere else."""
