#!/usr/bin/env python3
"""Asks a wayside node, with the standard library alone: client.py METHOD PATH [JSON]

Over the socket of WAYSIDE_HOME; or over TCP where WAYSIDE_API is HOST:PORT. WAYSIDE_TOKEN is the token, which TCP takes in any case.
"""

import http.client, json, os, socket, sys


class Node(http.client.HTTPConnection):
    """One request to the node."""

    def connect(self):
        if os.environ.get("WAYSIDE_API"):
            return super().connect()
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.path.join(os.environ["WAYSIDE_HOME"], "run", "api.sock"))


def ask(method, path, body=None):
    """What the node answers: one value, or those of an answer that comes line by line, as they come."""
    node = Node(os.environ.get("WAYSIDE_API") or "wayside")
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("WAYSIDE_TOKEN"):
        headers["Authorization"] = "Bearer " + token
    node.request(method, path, None if body is None else json.dumps(body), headers)
    for line in (answer := node.getresponse()):
        if line.strip():  # an empty line says that the connection lives
            yield json.loads(line)
    if answer.status != 200:
        sys.exit(1)  # the answer was {"code": …, "message": …}


if __name__ == "__main__":
    for value in ask(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]) if sys.argv[3:] else None):
        print(json.dumps(value, ensure_ascii=False), flush=True)
