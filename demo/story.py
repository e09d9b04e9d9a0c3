"""The story that `./dev demo` tells, over a stack that `./dev up` started: a second model is installed beside the first,
an update by delta under a running stream, remote attestation, attacks that are refused, and a model that is retired.
Every step is checked; the first one that does not hold ends the story with exit code 1."""

import argparse
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import time

from hostile import HostileNetwork
from stack import Asker, Refused, Stack, Stream, hold, until

BEGAN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGAN:6.2f} s] {text}", flush=True)


def renamed(source, target):
    """A copy of the model with another `general.name`: new to a device, and as good as the model."""
    data = bytearray(source.read_bytes())
    key = b"general.name"
    at = data.index(key) + len(key)
    kind, length = struct.unpack_from("<IQ", data, at)
    hold(kind == 8 and 0 < length < 256, f"{source} has no name")
    data[at + 11 + length] ^= 1
    target.write_bytes(data)
    return target


def damaged(source, target):
    """A copy of the model whose last third is zero: which nobody should sign."""
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


def cosine(left, right):
    return sum(a * b for a, b in zip(left, right))


def encoder_beside(stack):
    """Installs the encoder while the first model streams, and shows what its vectors are good for."""
    published = json.loads(stack.fleet("publish", "sentence", "1.0.0", "demo/sentence-1.0.0.gguf", "--template",
                                       "demo/sentence-template.json", "--json"))
    stream, asker = Stream(stack), Asker(lambda: stack.chat("lock the front door"))
    stream.start()
    asker.start()
    stack.fleet("desire", stack.device, "sentence", "1.0.0")
    until(20, "both models serve", lambda: stack.serving() == {"intent@1.0.0", "sentence@1.0.0"})
    hold(stream.is_alive(), "the stream ended before the install; nothing was shown")
    say(f"a second model, an encoder of {published['bytes']:,} bytes, serves beside the first, which streams on "
        f"({stream.count} pieces so far)")
    same, alike, other = "turn on the kitchen light", "Lights on in the kitchen, please", "play jazz in the bathroom"
    model, (first, second, third) = stack.embed(same, alike, other)
    hold(model == "sentence@1.0.0", model)
    near, far = cosine(first, second), cosine(first, third)
    hold(near > 0.8 and far < 0.4, f"cosines {near:.2f} and {far:.2f}")
    say(f"embeddings: \"{same}\" and \"{alike}\" have the cosine {near:.2f}; with \"{other}\" it is {far:.2f}")
    stream.finish()
    asker.finish()
    say(f"the first model was not disturbed: {stream.count} pieces streamed, {asker.answered} requests answered")


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
    vectors = stack.embed(fresh["prompt"])
    stream, asker = Stream(stack), Asker(lambda: stack.chat("lock the front door"))
    embedder = Asker(lambda: hold(stack.embed(fresh["prompt"]) == vectors, "the encoder answers otherwise"))
    for thread in (stream, asker, embedder):
        thread.start()
    say("a long stream is open on version 1, and the encoder is asked again and again")
    stack.desire("2.0.0")
    until(20, "version 2 serves", lambda: stack.serving() == {"intent@2.0.0", "sentence@1.0.0"})
    hold(stream.is_alive(), "the stream ended before the swap; nothing was shown")
    model, answer = stack.chat(fresh["prompt"])
    hold(model == "intent@2.0.0" and answer == fresh["expect"], f"{model}: {answer}")
    say(f"version 2 answers new requests while the stream runs on ({stream.count} pieces so far): {answer}")
    for thread in (stream, asker, embedder):
        thread.finish()
    say(f"the stream finished undisturbed on version 1, {stream.count} pieces, the text version 1 gives alone")
    say(f"the encoder gave the same vector {embedder.answered} times meanwhile")
    until(20, "version 2 is committed", lambda: stack.last_install()["state"] == "COMMITTED")
    return delta["bytes"], published["bytes"], asker, embedder


def attest(stack):
    proven = stack.proven()
    hold(proven == {"intent": "2.0.0", "sentence": "1.0.0"}, f"proven: {proven}")
    text = stack.fleet("attest", stack.device, *stack.least())
    hold("affirming" in text and "2.0.0" in text, text)
    say(f"attestation: fleet attest {stack.device} says")
    print("\n" + "\n".join("            " + line if line else "" for line in text.strip("\n").splitlines()) + "\n", flush=True)
    say("it names both models: " + ", ".join(f"{name} {version}" for name, version in sorted(proven.items())))


def retire_encoder(stack):
    stack.fleet("desire", stack.device, "--remove", "sentence")
    until(30, "the encoder is retired", lambda: stack.serving() == {"intent@2.0.0"})
    reply = stack.curl("/v1/embeddings", {"model": "sentence", "input": "lock the front door"})
    hold("error" in reply, f"a retired model answers: {reply}")
    until(20, "the evidence names one model", lambda: stack.proven() == {"intent": "2.0.0"})
    say("the encoder is retired: it is not listed, answers nothing, and the evidence names intent 2.0.0 alone")


def refused(stack, attack, code):
    until(30, f"{attack} is refused with {code} (last: {stack.rejection()})", lambda: stack.rejection() == code)
    hold("intent@2.0.0" in stack.serving(), f"after {attack} the device serves {stack.serving()}")
    say(f"refused {code}: {attack}; version 2 still serves")


def attacks(stack, work):
    metadata = stack.fleet_dir / "metadata"
    timestamp = metadata / "timestamp.json"
    old = timestamp.read_bytes()
    why = stack.refusal("publish", "intent", "3.0.0", damaged(pathlib.Path("demo/intent-2.0.0.gguf"), work / "damaged.gguf"),
                        "--template", "demo/template.json", "--canaries", "demo/canaries-2.0.0.json")
    hold(why.startswith("GATE-"), why)
    hold(timestamp.read_bytes() == old, "something was signed")
    say(f"refused {why.split(':')[0]}: fleet publish asks a damaged model what devices ask, and signs nothing")
    # Not the bytes of a release that the device keeps: those it would not have to ask for.
    stack.publish("3.0.0", renamed(pathlib.Path("demo/intent-2.0.0.gguf"), work / "renamed.gguf"), "demo/canaries-2.0.0.json")
    good = timestamp.read_bytes()

    base = sha256_of(stack, "models/intent/2.0.0/model.gguf")
    patch = stack.fleet_dir / "blobs" / sha256_of(stack, f"models/intent/3.0.0/from-{base}.hfd")
    whole = patch.read_bytes()
    flip_bit(patch)
    stack.desire("3.0.0")
    refused(stack, "a patch with one bit flipped", "BLK-HASH")
    patch.write_bytes(whole)

    until(60, "version 3 serves once its patch is whole", lambda: "intent@3.0.0" in stack.serving())
    stack.desire("2.0.0")
    until(60, "version 2 serves again", lambda: stack.serving() == {"intent@2.0.0", "sentence@1.0.0"})

    timestamp.write_bytes(old)
    stack.desire("1.0.0")
    refused(stack, "metadata rolled back", "UPD-ROLLBACK")
    stack.desire("2.0.0")

    stranger = work / "stranger"
    stack.run("fleet", "init", "--dir", stranger, "--name", "demo", "--broker", "tcp://127.0.0.1:1")
    shutil.copy(stranger / "metadata" / "timestamp.json", timestamp)
    refused(stack, "metadata by an unknown signer", "UPD-SIGNATURE")
    timestamp.write_bytes(good)


def enrol_another(stack, folder):
    """A second device, which enrols and ends: the fleet has orders for enrolled devices only."""
    own = pathlib.Path(stack.config).read_text()
    for here, there in (('"device-1"', '"device-2"'), ("/device\"", "/device-2\""), ("/control.sock", "/control-2.sock")):
        own = own.replace(here, there)
    config = folder / "holdfast-2.toml"
    config.write_text(re.sub('(?m)^tee = .*$', 'tee = "software"', own))
    stack.run("holdfast", "provision", "--yes", "--config", config)
    with open(folder / "log" / "agent-2.log", "a") as log:
        agent = subprocess.Popen([stack.dev, "holdfast", "agent", "--config", str(config)], stdout=log, stderr=log)
    try:
        until(30, "device-2 is enrolled", lambda: json.loads(
            stack.run("holdfast", "status", "--json", "--config", config, check=False) or "{}").get("enrolled"))
    finally:
        agent.terminate()
        agent.wait(20)


def order_for_another(stack, folder, started):
    """Hands the device what the fleet signs for another one: a real order, fresh and with the device's own nonce."""
    enrol_another(stack, folder)
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
        hold(stack.serving() == {"intent@1.0.0"}, f"version 1 should serve, not {stack.serving()}")
        hardware = "an emulated TPM" if stack.endpoints["tee"] == "swtpm" else "SOFTWARE: nothing is hardware-backed"
        say(f"broker {stack.endpoints['broker']} is up, {stack.device} is enrolled ({hardware}), version 1 serves")
        encoder_beside(stack)
        delta, full, asker, embedder = update_under_a_stream(stack)
        attest(stack)
        attacks(stack, folder)
        retire_encoder(stack)
        order_for_another(stack, folder, started)
        model, _ = stack.chat("lock the front door")
        hold(model == "intent@2.0.0", model)
        log = (folder / "log" / "inference.log").read_text()
        pauses = [int(line.split("pause of ")[1].split()[0]) for line in log.splitlines() if "pause of" in line]
        print(f"delta {delta:,} bytes against full {full:,} bytes ({100 * delta / full:.0f} %)")
        print(f"swap pause {pauses[-1]} microseconds")
        print(f"requests during the update: {asker.answered} answered and {embedder.answered} embedded, "
              f"dropped requests: {asker.dropped + embedder.dropped}")
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
