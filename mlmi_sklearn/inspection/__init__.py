"""Looking at what models say about instances: maps, tables and pictures."""
