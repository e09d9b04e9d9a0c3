"""Python without any package: python3 http_client.py SOCKET MODEL"""

import http.client
import json
import socket
import sys


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def ask(path, body):
    connection = UnixConnection(sys.argv[1])
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        sys.exit(f"{response.status}: {response.read().decode()}")
    return response


question = {
    "model": sys.argv[2],
    "messages": [{"role": "user", "content": "Turn on the light."}],
    "max_tokens": 16,
}
answer = json.load(ask("/v1/chat/completions", question))
print(json.dumps({"call": "chat", "text": answer["choices"][0]["message"]["content"]}))

text = ""
ended = False
for line in ask("/v1/chat/completions", {**question, "stream": True}):
    if line.startswith(b"data: [DONE]"):
        ended = True
    elif line.startswith(b"data: "):
        event = json.loads(line[6:])
        if "error" in event:
            sys.exit(event["error"]["message"])
        text += event["choices"][0]["delta"].get("content", "")
# An answer that was cut has no end.
print(json.dumps({"call": "stream", "text": text, "whole": ended}))
