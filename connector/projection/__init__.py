"""The mapping: what an order is in the OMS's own tables, which changes concern it, and its present answer.

Must not know LSN bookkeeping, checkpoints or HTTP.
"""

from connector.projection.assembly import Assembler
from connector.projection.load import access, load
from connector.projection.projection import Access, Projection

__all__ = ["Access", "Assembler", "Projection", "access", "load"]
