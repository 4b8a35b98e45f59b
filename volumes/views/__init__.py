"""The routes of Cinder's block-storage v3: parse, one call, render."""
