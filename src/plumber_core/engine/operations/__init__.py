"""The operations of ``control/nouns.py``, carried out: each authorised for its caller, then one verb of the engine."""
