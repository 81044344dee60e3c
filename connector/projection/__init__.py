"""The mapping: what an order is in the OMS's own tables, which changes concern it, and its present answer.

Must not know LSN bookkeeping, checkpoints or HTTP.
"""

from connector.projection.assembly.assembly import Assembler
from connector.projection.assembly.projection import Access, Projection
from connector.projection.load import access, load

__all__ = ["Access", "Assembler", "Projection", "access", "load"]
