"""The story that `./dev demo` tells, over a stack that `./dev up` started: an update by delta under a running stream,
remote attestation, and attacks that are refused. Every step is checked; the first one that does not hold ends the
story with exit code 1."""

import argparse
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import threading
import time

BEGAN = time.monotonic()


class Refused(Exception):
    """A step of the story did not hold."""


def say(text):
    print(f"[{time.monotonic() - BEGAN:6.2f} s] {text}", flush=True)


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

    def serves(self):
        models = self.curl("/v1/models")["data"]
        return models[0]["id"] if models else None

    def publish(self, version, model, canaries):
        return json.loads(self.fleet("publish", "intent", version, model, "--template", "demo/template.json",
                                     "--canaries", canaries, "--json"))

    def desire(self, version):
        self.desire_for(self.device, version)

    def desire_for(self, device, version):
        self.fleet("desire", device, "intent", version)

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

    def __init__(self, path):
        super().__init__(name="stream", daemon=True)
        self.path, self.text, self.models, self.done, self.count = path, "", set(), False, 0

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


class Asker(threading.Thread):
    """Asks without a pause and counts what was not answered."""

    def __init__(self, stack):
        super().__init__(name="asker", daemon=True)
        self.stack, self.answered, self.dropped, self.ended = stack, 0, 0, threading.Event()

    def run(self):
        while not self.ended.is_set():
            try:
                self.stack.chat("lock the front door")
                self.answered += 1
            except (Refused, subprocess.CalledProcessError, json.JSONDecodeError):
                self.dropped += 1


def damaged(source, target):
    """A copy of the model whose last third is zero: signed like any other, but worth nothing."""
    data = bytearray(source.read_bytes())
    begin = len(data) * 2 // 3
    data[begin:] = bytes(len(data) - begin)
    target.write_bytes(data)
    return target


def flip_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def sha256_of(stack, target):
    targets = sorted(stack.fleet_dir.glob("metadata/*.targets.json"), key=lambda p: int(p.name.split(".")[0]))[-1]
    return json.loads(targets.read_text())["signed"]["targets"][target]["hashes"]["sha256"]


def update_under_a_stream(stack):
    model, answer = stack.chat("turn on the light in the kitchen")
    hold(model == "intent@1.0.0" and json.loads(answer)["intent"] == "set_light", f"{model}: {answer}")
    say(f"curl asks version 1: \"turn on the light in the kitchen\" -> {answer}")
    canary = json.loads(pathlib.Path("demo/canaries-2.0.0.json").read_text())
    known = {json.loads(c["expect"])["intent"] for c in json.loads(
        pathlib.Path("demo/canaries-1.0.0.json").read_text())}
    fresh = next(c for c in canary if json.loads(c["expect"])["intent"] not in known)
    _, before = stack.chat(fresh["prompt"])
    hold(before != fresh["expect"], "version 1 knows the new intent already")
    say(f"it does not know the new intents yet: \"{fresh['prompt']}\" -> {before}")
    published = stack.publish("2.0.0", "demo/intent-2.0.0.gguf", "demo/canaries-2.0.0.json")
    delta = published["deltas"][0]
    say(f"version 2 is published: full {published['bytes']:,} bytes, delta {delta['bytes']:,} bytes")
    expected = stack.curl("/v1/chat/completions", Stream.REQUEST)["choices"][0]["message"]["content"]
    stream, asker = Stream(stack.endpoints["inference_socket"]), Asker(stack)
    stream.start()
    asker.start()
    say("a long stream is open on version 1")
    stack.desire("2.0.0")
    until(20, "version 2 serves", lambda: stack.serves() == "intent@2.0.0")
    hold(stream.is_alive(), "the stream ended before the swap; nothing was shown")
    model, answer = stack.chat(fresh["prompt"])
    hold(model == "intent@2.0.0" and answer == fresh["expect"], f"{model}: {answer}")
    say(f"version 2 answers new requests while the stream runs on ({stream.count} pieces so far): {answer}")
    stream.join(60)
    asker.ended.set()
    asker.join()
    hold(stream.done and stream.models == {"intent@1.0.0"}, f"stream: done {stream.done}, models {stream.models}")
    hold(stream.text == expected, "the stream's text is not version 1's own")
    hold(asker.dropped == 0, f"{asker.dropped} requests were dropped")
    say(f"the stream finished undisturbed on version 1, {stream.count} pieces, the text version 1 gives alone")
    until(20, "version 2 is committed", lambda: stack.history()[-1]["state"] == "COMMITTED")
    return delta["bytes"], published["bytes"], asker


def attest(stack):
    verdict = json.loads(stack.fleet("attest", stack.device, "--json"))
    text = stack.fleet("attest", stack.device)
    hold("affirming" in text and "2.0.0" in text, text)
    say("attestation: " + ", ".join(" ".join(line.split()) for line in text.strip().splitlines()))
    return verdict


def refused(stack, attack, code):
    until(30, f"{attack} is refused with {code} (last: {stack.rejection()})", lambda: stack.rejection() == code)
    hold(stack.serves() == "intent@2.0.0", f"after {attack} the device serves {stack.serves()}")
    say(f"refused {code}: {attack}; version 2 still serves")


def attacks(stack, work):
    metadata = stack.fleet_dir / "metadata"
    timestamp = metadata / "timestamp.json"
    old = timestamp.read_bytes()
    stack.publish("3.0.0", damaged(pathlib.Path("demo/intent-2.0.0.gguf"), work / "damaged.gguf"),
                  "demo/canaries-2.0.0.json")
    good = timestamp.read_bytes()

    base = sha256_of(stack, "models/intent/2.0.0/model.gguf")
    patch = stack.fleet_dir / "blobs" / sha256_of(stack, f"models/intent/3.0.0/from-{base}.hfd")
    whole = patch.read_bytes()
    flip_bit(patch)
    stack.desire("3.0.0")
    refused(stack, "a patch with one bit flipped", "BLK-HASH")
    patch.write_bytes(whole)

    until(60, "the damaged model is rejected by its gate",
          lambda: stack.history()[-1]["state"] in ("FAILED", "ROLLED_BACK"))
    end = stack.history()[-1]
    hold(end["code"].startswith("GATE-"), str(end))
    hold(stack.serves() == "intent@2.0.0", "another model serves")
    say(f"refused {end['code']}: a signed model that fails its gate ({end['detail']}); version 2 still serves")

    timestamp.write_bytes(old)
    stack.desire("2.0.0")
    refused(stack, "metadata rolled back", "UPD-ROLLBACK")

    stranger = work / "stranger"
    stack.run("fleet", "init", "--dir", stranger, "--name", "demo", "--broker", "tcp://127.0.0.1:1")
    shutil.copy(stranger / "metadata" / "timestamp.json", timestamp)
    refused(stack, "metadata by an unknown signer", "UPD-SIGNATURE")
    timestamp.write_bytes(good)


class HostileNetwork(threading.Thread):
    """A stranger on the device's way to the broker, who turns the device's topics into those of another device. The two
    names are equally long, so that the MQTT packets stay well formed. Carries everything unchanged until `turn`."""

    def __init__(self, broker, mine, theirs):
        super().__init__(name="hostile", daemon=True)
        self.broker, self.mine, self.theirs = broker, mine.encode(), theirs.encode()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.turned, self.open = False, []

    def turn(self):
        """Begins to lie; whoever is connected must connect anew."""
        self.turned = True
        for side in self.open:
            self.end(side)

    @staticmethod
    def end(side):
        """Wakes whoever reads there; the other direction may have ended it before."""
        try:
            side.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def run(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.broker))
            self.open = [near, far]
            mine, theirs = self.mine, self.theirs if self.turned else self.mine
            for source, sink, old, new in ((near, far, mine, theirs), (far, near, theirs, mine)):
                threading.Thread(target=self.carry, args=(source, sink, old, new), daemon=True).start()

    def carry(self, source, sink, old, new):
        try:
            held = b""
            while data := source.recv(65536):
                held = (held + data).replace(old, new)
                # A topic may still be on its way: keep back what could be the beginning of one.
                keep = next((n for n in range(min(len(old) - 1, len(held)), 0, -1) if old.startswith(held[-n:])), 0)
                sink.sendall(held[:len(held) - keep])
                held = held[len(held) - keep:]
        except OSError:
            pass
        finally:
            self.end(sink)


def order_for_another(stack, folder, started):
    """Hands the device what the fleet signs for another one: a real order, fresh and with the device's own nonce."""
    stack.desire_for("device-2", "1.0.0")
    agent = int((folder / "pids" / "agent").read_text())
    subprocess.run(["kill", "-TERM", str(agent)], check=True)
    until(10, "the agent has stopped", lambda: not pathlib.Path(f"/proc/{agent}").exists()
          or pathlib.Path(f"/proc/{agent}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z")
    broker = int(stack.endpoints["broker"].rsplit(":", 1)[1])
    hostile = HostileNetwork(broker, f"demo/d/{stack.device}/", "demo/d/device-2/")
    hostile.start()
    config = folder / "hostile.toml"
    config.write_text(pathlib.Path(stack.config).read_text().replace(f":{broker}", f":{hostile.port}"))
    with open(folder / "log" / "agent.log", "a") as log:
        started.append(subprocess.Popen([stack.dev, "holdfast", "agent", "--config", str(config)],
                                        stdout=log, stderr=log))
    until(20, "the agent is back", lambda: json.loads(
        stack.run("holdfast", "status", "--json", "--config", stack.config, check=False) or "{}").get("enrolled"))
    hostile.turn()
    refused(stack, "a model for another device, by a hostile network", "UPD-DIRECTOR-DEVICE")
    hostile.listener.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True)
    parser.add_argument("--dev", required=True)
    options = parser.parse_args()
    folder = pathlib.Path(options.dir)
    stack = Stack(json.loads((folder / "endpoints.json").read_text()), options.dev)
    started = []
    try:
        hold(stack.serves() == "intent@1.0.0", f"version 1 should serve, not {stack.serves()}")
        hardware = "an emulated TPM" if stack.endpoints["tee"] == "swtpm" else "SOFTWARE: nothing is hardware-backed"
        say(f"broker {stack.endpoints['broker']} is up, {stack.device} is enrolled ({hardware}), version 1 serves")
        delta, full, asker = update_under_a_stream(stack)
        attest(stack)
        attacks(stack, folder)
        order_for_another(stack, folder, started)
        model, _ = stack.chat("lock the front door")
        hold(model == "intent@2.0.0", model)
        log = (folder / "log" / "inference.log").read_text()
        pauses = [int(line.split("pause of ")[1].split()[0]) for line in log.splitlines() if "pause of" in line]
        print(f"delta {delta:,} bytes against full {full:,} bytes ({100 * delta / full:.0f} %)")
        print(f"swap pause {pauses[-1]} microseconds")
        print(f"requests during the update: {asker.answered} answered, dropped requests: {asker.dropped}")
        return 0
    except (Refused, subprocess.SubprocessError, OSError) as failure:
        say(f"FAILED: {failure}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    finally:
        for process in started:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    sys.exit(main())
