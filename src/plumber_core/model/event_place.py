"""Places in the event log. The cursor ``<xid>.<id>`` orders events as they became visible."""

from __future__ import annotations

from plumber_core.errors import InvalidRequest
from plumber_core.reasons import because

Place = tuple[int, int]
"""Transaction and event: two places compare as their events became visible."""
START: Place = (0, 0)


def parse_cursor(cursor: str) -> Place:
    """Read a cursor.

    Raises:
        InvalidRequest: it is not one.
    """
    xid, dot, id_ = cursor.partition(".")
    if not (dot and xid.isascii() and id_.isascii() and xid.isdigit() and id_.isdigit() and len(cursor) < 40):
        raise InvalidRequest(field="after", reason=because("no_event", value=repr(cursor)))
    return int(xid), int(id_)


def cursor_of(place: Place) -> str:
    """Return the cursor of a place."""
    return f"{place[0]}.{place[1]}"
