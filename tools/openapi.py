"""Print the OpenAPI document: what the page's types are made from."""

from __future__ import annotations

import json
import sys

from plumber_server import openapi

json.dump(json.loads(openapi.document("")), sys.stdout, indent=2)
