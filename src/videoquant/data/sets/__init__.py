"""Data sets in their official layouts, one file per family. `videoquant.data.catalog` opens them by name."""
