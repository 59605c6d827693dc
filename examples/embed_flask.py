"""A Flask application that has a Plumber server do the work. Run it: flask --app examples/embed_flask run"""

import os

from flask import Flask, abort, jsonify
from flask.typing import ResponseReturnValue

from plumber_client import Client
from plumber_core import NotFound

app = Flask(__name__)
# One client for all threads: it keeps its connections.
plumber = Client(os.environ["PLUMBER_URL"], token=os.environ["PLUMBER_TOKEN"])


@app.post("/deploy/<version>")
def deploy(version: str) -> ResponseReturnValue:
    execution = plumber.tasks.run(task="deploy-shop", parameters={"version": version}, reason="asked for in the shop")
    return jsonify(id=execution.id), 202


@app.get("/deploy/<execution>")
def deployed(execution: str) -> ResponseReturnValue:
    try:
        return jsonify(state=plumber.executions.show(execution=execution).state)
    except NotFound:
        abort(404)
