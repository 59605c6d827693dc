"""The laboratory: hosts in network namespaces, packet filters, and a proxy that spoils what goes through it."""
