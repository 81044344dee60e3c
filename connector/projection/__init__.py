"""The mapping: what an order is in the OMS's own tables, which changes concern it, and its present answer.

Must not know LSN bookkeeping, checkpoints or HTTP.
"""

from connector.projection.assembly import Assembler
from connector.projection.load import load
from connector.projection.projection import Projection

__all__ = ["Assembler", "Projection", "load"]
