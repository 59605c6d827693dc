"""What tests share. Import it as ``support.postgres``, ``support.processes``, ``support.waiting``."""
