"""What an export says and how it is written: records, columns and file formats."""
