"""A container that systemd-nspawn booted: commands in it, its sockets, its units."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

BEGAN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGAN:6.1f} s] {text}", flush=True)


class Broken(Exception):
    pass


def hold(condition, what):
    if not condition:
        raise Broken(what)


def until(seconds, what, condition, pause=0.1):
    """Waits for a condition and returns what it gave."""
    end = time.monotonic() + seconds
    while True:
        try:
            value = condition()
        except (OSError, subprocess.CalledProcessError, ValueError):
            value = None
        if value:
            return value
        if time.monotonic() > end:
            raise Broken(f"not within {seconds} s: {what}")
        time.sleep(pause)


class Machine:
    def __init__(self, root, nspawn):
        self.root = pathlib.Path(root)
        self.leader = until(20, "the container has a first process", lambda: self._leader(nspawn))

    @staticmethod
    def _leader(nspawn):
        children = pathlib.Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
        return next((int(pid) for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"), None)

    def run(self, command, check=True, timeout=180, user=None):
        """Runs a line of shell in the container; what it printed."""
        words = ["nsenter", "-t", str(self.leader), "-a", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
                 "DEBIAN_FRONTEND=noninteractive", "HOME=/root"]
        if user:
            words += ["runuser", "-u", user, "--"]
        ran = subprocess.run(words + ["sh", "-c", command], capture_output=True, text=True, timeout=timeout)
        if check and ran.returncode != 0:
            raise Broken(f"{command}\n  exit code {ran.returncode}: {ran.stdout}{ran.stderr}")
        return (ran.stdout + ran.stderr).strip() if check else ran

    def peak_mib(self, command):
        """The most memory that a command had, itself or what it became, in MiB."""
        words = ["nsenter", "-t", str(self.leader), "-a", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
        ran = subprocess.Popen(words + command.split(), stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(ran.pid, 0)
        hold(status == 0, f"{command}: {status}")
        return used.ru_maxrss // 1024

    def show(self, unit, name):
        return self.run(f"systemctl show {unit} --property={name} --value")

    def pid(self, unit):
        return int(self.show(unit, "MainPID"))

    def write(self, path, text, owner=None):
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        if owner:
            self.run(f"chown {owner} {path}")

    def ask(self, path, body=None, name="inference", timeout=30):
        """HTTP on a socket of the container: status and JSON."""
        folder = "holdfast-inference" if name == "inference" else "holdfast"
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(timeout)
            channel.connect(f"/proc/{self.leader}/root/run/{folder}/{name}.sock")
            content = b"" if body is None else json.dumps(body).encode()
            head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            channel.sendall(head.encode() + content)
            answer = b""
            while chunk := channel.recv(65536):
                answer += chunk
        head, _, rest = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            raise ConnectionError("no answer")
        return int(head.split()[1]), json.loads(rest)

    def chat(self, words="turn on the kitchen light"):
        status, answer = self.ask("/v1/chat/completions", {"messages": [{"role": "user", "content": words}]})
        if status != 200:
            raise ConnectionError(f"status {status}")
        return answer["model"]

    def serving(self):
        return {model["id"] for model in self.ask("/v1/models")[1]["data"] if "@" in model["id"]}

    def memory(self, unit):
        """Resident memory of a unit's main process, in MiB: all, and what no file is behind."""
        lines = dict(line.split(":", 1) for line in self.run(f"cat /proc/{self.pid(unit)}/status").splitlines() if ":" in line)
        return tuple(int(lines[key].split()[0]) / 1024 for key in ("VmRSS", "RssAnon"))

    def ready_seconds(self, unit):
        """From the start of the unit to READY."""
        began, ready = (int(self.show(unit, f"{name}TimestampMonotonic")) for name in ("InactiveExit", "ActiveEnter"))
        return (ready - began) / 1e6


class Traffic(threading.Thread):
    """A client that asks without a pause and, like a good one, asks again where it finds nobody or is told to."""

    def __init__(self, machine):
        super().__init__(daemon=True)
        self.machine, self.stop, self.answers, self.again, self.cut, self.gap = machine, threading.Event(), [], 0, 0, 0.0

    def run(self):
        last = time.monotonic()
        while not self.stop.is_set():
            first = True
            while not self.stop.is_set():
                try:
                    self.answers.append(self.machine.chat())
                    break
                except (OSError, ValueError, KeyError) as failure:
                    if first:
                        self.again += 1
                        # Refused before it was heard, or cut while it was answered.
                        if not isinstance(failure, (ConnectionRefusedError, FileNotFoundError)):
                            self.cut += 1
                    first = False
                    time.sleep(0.05)
            self.gap = max(self.gap, time.monotonic() - last)
            last = time.monotonic()

    def end(self):
        self.stop.set()
        self.join(60)
        return self


def fail(error):
    say(f"BROKEN: {error}")
    sys.exit(1)
