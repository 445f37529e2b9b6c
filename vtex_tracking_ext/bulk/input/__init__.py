"""Files and programs' data to rows."""
