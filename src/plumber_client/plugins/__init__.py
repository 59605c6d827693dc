"""Built-in plugins that speak HTTP."""
