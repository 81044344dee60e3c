"""Looking without changing anything: check, explain, preview, two mappings compared, one order's story, reading back
from Redo. Must not know how anything is pushed.
"""
