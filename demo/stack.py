"""The running stack as the story uses it, and threads that ask it again and again."""

import json
import pathlib
import socket
import subprocess
import threading
import time


class Refused(Exception):
    """A step of the story did not hold."""


def hold(condition, text):
    if not condition:
        raise Refused(text)


class Stack:
    """The running stack, reached by its files, sockets and commands."""

    def __init__(self, endpoints, dev):
        self.endpoints = endpoints
        self.dev = dev
        self.fleet_dir = pathlib.Path(endpoints["fleet_dir"])
        self.device = endpoints["device"]
        self.config = endpoints["config"]

    def run(self, *arguments, check=True):
        done = subprocess.run([self.dev, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        hold(done.returncode == 0 or not check, f"{' '.join(map(str, arguments))}: {done.stderr.strip()[-400:]}")
        return done.stdout

    def fleet(self, verb, *arguments, **more):
        return self.run("fleet", verb, "--dir", self.fleet_dir, *arguments, **more)

    def refusal(self, verb, *arguments):
        """What a command of the fleet says that it refuses."""
        done = subprocess.run([self.dev, "fleet", verb, "--dir", self.fleet_dir, *map(str, arguments)],
                              capture_output=True, text=True, timeout=60)
        hold(done.returncode != 0, f"{verb} {' '.join(map(str, arguments))} was not refused")
        return done.stderr.strip()

    def status(self):
        return json.loads(self.run("holdfast", "status", "--json", "--config", self.config))

    def history(self):
        return json.loads(self.run("holdfast", "history", "--json", "--config", self.config))

    def curl(self, path, body=None):
        command = ["curl", "-sS", "--unix-socket", self.endpoints["inference_socket"], f"http://localhost{path}"]
        if body is not None:
            command += ["-H", "content-type: application/json", "-d", json.dumps(body)]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def chat(self, sentence):
        reply = self.curl("/v1/chat/completions", {"messages": [{"role": "user", "content": sentence}]})
        hold("choices" in reply, f"no answer: {reply}")
        return reply["model"], reply["choices"][0]["message"]["content"]

    def embed(self, *sentences):
        """Who answered, and the vectors; they have length one."""
        reply = self.curl("/v1/embeddings", {"model": "sentence", "input": sentences})
        hold("data" in reply, f"no vectors: {reply}")
        return reply["model"], [one["embedding"] for one in reply["data"]]

    def serving(self):
        """The models that answer, each by its name with its version."""
        return {model["id"] for model in self.curl("/v1/models")["data"] if "@" in model["id"]}

    def publish(self, version, model, canaries):
        return json.loads(self.fleet("publish", "intent", version, model, "--template", "demo/template.json",
                                     "--canaries", canaries, "--json"))

    def desire(self, version):
        self.desire_for(self.device, version)

    def desire_for(self, device, version):
        self.fleet("desire", device, "intent", version)

    def proven(self):
        """Name and version of every model that the device proves to serve."""
        verdict = json.loads(self.fleet("attest", self.device, *self.least(), "--json", check=False) or "{}")
        models = verdict["claims"]["models"] if verdict.get("status") == "affirming" else []
        return {model["name"]: model["version"] for model in models}

    def least(self):
        """The demo's TEE is an emulator or a file, and fleet attest accepts neither unless it is asked to."""
        return ("--min-assurance", "emulated" if self.endpoints["tee"] == "swtpm" else "software")

    def last_install(self):
        return [record for record in self.history() if record.get("model") == "intent"][-1]

    def rejection(self):
        return self.status().get("lastRejection", {}).get("code")


def until(seconds, what, condition):
    deadline = time.monotonic() + seconds
    while not condition():
        hold(time.monotonic() < deadline, f"not within {seconds} s: {what}")
        time.sleep(0.05)


class Stream(threading.Thread):
    """One long streamed answer, paced on a fixed clock, and what came of it."""

    REQUEST = {"messages": [{"role": "user", "content": "turn on the light in the kitchen"}],
               "max_tokens": 300, "ignore_eos": True, "temperature": 0}

    def __init__(self, stack):
        super().__init__(name="stream", daemon=True)
        self.path, self.text, self.models, self.done, self.count = (
            stack.endpoints["inference_socket"], "", set(), False, 0)
        self.expected = stack.curl("/v1/chat/completions", self.REQUEST)["choices"][0]["message"]["content"]

    def run(self):
        body = json.dumps({**self.REQUEST, "stream": True, "tokens_per_second": 20}).encode()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(self.path)
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                               b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            for line in connection.makefile("rb"):
                if not line.startswith(b"data: "):
                    continue
                if line.strip() == b"data: [DONE]":
                    self.done = True
                    return
                event = json.loads(line[6:])
                self.models.add(event.get("model"))
                for choice in event.get("choices", []):
                    self.text += choice.get("delta", {}).get("content") or ""
                self.count += 1

    def finish(self):
        self.join(60)
        hold(self.done and self.models == {"intent@1.0.0"}, f"stream: done {self.done}, models {self.models}")
        hold(self.text == self.expected, "the stream's text is not version 1's own")


class Asker(threading.Thread):
    """Asks again and again, and counts what was not answered, or not as it should be."""

    # The agent is the lowest in rank on the machine, and shall not wait for the story itself.
    PAUSE_SECONDS = 0.02

    def __init__(self, ask):
        super().__init__(name="asker", daemon=True)
        self.ask, self.answered, self.dropped, self.ended = ask, 0, 0, threading.Event()

    def run(self):
        while not self.ended.wait(self.PAUSE_SECONDS):
            try:
                self.ask()
                self.answered += 1
            except (Refused, subprocess.CalledProcessError, json.JSONDecodeError):
                self.dropped += 1

    def finish(self):
        self.ended.set()
        self.join()
        hold(self.answered > 0, "nothing was answered")
        hold(self.dropped == 0, f"{self.dropped} requests were dropped")
