"""For authors of plugins: conformance classes, a way to run one step, and a pytest plugin that makes them readable."""
