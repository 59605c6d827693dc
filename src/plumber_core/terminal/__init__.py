"""What every verb of the command line shares: words, colours, tables, errors and the live view."""
