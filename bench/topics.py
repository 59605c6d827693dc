"""What is measured besides latency."""

TOPICS = {}
