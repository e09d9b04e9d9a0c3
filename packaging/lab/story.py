"""The story that `./dev lab` tells: the packages on a Debian with systemd, from the first install to the last purge. Each step is
checked; the first one that does not hold ends it with exit code 1. With --record the figures go to docs/performance.md."""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import time

from machine import Broken, Machine, Traffic, fail, hold, say, until

AGENT, INFERENCE = "holdfast.service", "holdfast-inference.service"
HERE = pathlib.Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
FLEET = "/var/lib/holdfast-fleet"
KEEP = "-o Dpkg::Options::=--force-confold"

CONFIG = """fleet = "demo"
device = "device-1"
broker = "mqtts://localhost:{port}"
broker-authorities = "/etc/holdfast/broker-ca.pem"
factory-root = "/etc/holdfast/root.json"
tee = "unix:/run/lab-tpm/tpm.sock"
probation-seconds = 2
refresh-seconds = 30
"""

# The first half of SHA-256 over "holdfast message CFG-INVALID": docs/adr/0038-log-lines-with-fields.md.
CFG_INVALID_ID = "70d12b43494fdf6ebf952eb45939b3a1"

TPM = """[Service]
RuntimeDirectory=lab-tpm
StateDirectory=lab-tpm
ExecStart=/usr/bin/swtpm socket --tpm2 --tpmstate dir=/var/lib/lab-tpm --server type=unixio,path=/run/lab-tpm/tpm.sock,mode=0666 \
--ctrl type=unixio,path=/run/lab-tpm/ctrl.sock --flags not-need-init,startup-clear
"""

BROKER = """per_listener_settings true
max_packet_size 262144
persistence false

listener 8883
cafile /etc/mosquitto/lab/device-authority.crt
certfile /etc/mosquitto/lab/server.crt
keyfile /etc/mosquitto/lab/server.key
require_certificate true
use_identity_as_username true
acl_file /etc/mosquitto/lab/devices.acl

# For the first enrolment, of a device that has no certificate yet.
listener 8884
certfile /etc/mosquitto/lab/server.crt
keyfile /etc/mosquitto/lab/server.key
allow_anonymous true

listener 1883 127.0.0.1
allow_anonymous true
acl_file /etc/mosquitto/lab/fleet.acl
"""


class MemoryGroup:
    """A memory group of the host, of version 1 or 2, whose limit is what its members take and a little more."""

    # Takes a mebibyte at a time until the first process is gone. The kernel would rather end it than the agent: what the first one held is
    # not free at once.
    HOG = "import os, sys, time\nopen('/proc/self/oom_score_adj', 'w').write('800')\nsys.stdin.readline()\nheld = []\n" \
          "try:\n    while len(held) < 1024:\n        os.readlink(f'/proc/{sys.argv[1]}/exe')\n" \
          "        held.append(bytearray(b'x' * (1 << 20)))\n        time.sleep(0.02)\nexcept OSError:\n    pass"
    ROOM_MIB = 16

    def __init__(self):
        base = pathlib.Path("/sys/fs/cgroup/memory" if pathlib.Path("/sys/fs/cgroup/memory").is_dir() else "/sys/fs/cgroup")
        self.folder = base / f"holdfast-lab-{os.getpid()}"
        self.folder.mkdir()
        self.limit = next(name for name in ("memory.limit_in_bytes", "memory.max") if (self.folder / name).exists())
        self.usage = next(name for name in ("memory.usage_in_bytes", "memory.current") if (self.folder / name).exists())
        self.hog = None

    def add(self, pid):
        (self.folder / "cgroup.procs").write_text(str(pid))

    def remove(self, pid):
        (self.folder.parent / "cgroup.procs").write_text(str(pid))

    def member(self, program):
        """The process of a daemon, as the host numbers it."""
        members = (self.folder / "cgroup.procs").read_text().split()
        return next(pid for pid in members if f"{program}.options".encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())

    def exhaust(self):
        first = self.member("inference")
        self.hog = subprocess.Popen(["python3", "-c", self.HOG, first], stdin=subprocess.PIPE)
        time.sleep(0.5)
        (self.folder / "cgroup.procs").write_text(str(self.hog.pid))
        (self.folder / self.limit).write_text(str(int((self.folder / self.usage).read_text()) + (self.ROOM_MIB << 20)))
        self.hog.stdin.write(b"\n")
        self.hog.stdin.flush()

    def close(self):
        if self.hog:
            self.hog.kill()
            self.hog.wait()
        for pid in (self.folder / "cgroup.procs").read_text().split():
            self.remove(pid)
        self.folder.rmdir()


class Story:
    def __init__(self, machine, packages):
        self.machine, self.packages, self.figures = machine, packages, []

    def figure(self, what, goal, value):
        self.figures.append((what, goal, value))

    # --- The steps ---

    def boots(self):
        state = until(60, "systemd is up", lambda: self.machine.run("systemctl is-system-running", check=False).stdout.strip()
                      in ("running", "degraded"))
        hold(state, "systemd did not come up")
        say(f"Debian {self.machine.run('cat /etc/debian_version')} booted, systemd "
            f"{self.machine.run('systemctl --version').split()[1]}, no network but its own loopback, no Java")

    def installs(self):
        for block in re.findall(r"```sh lab\n(.*?)```", (DOCS / "operating.md").read_text(), re.S):
            began = time.monotonic()
            self.machine.run(block, timeout=400)
            say(f"installed as docs/operating.md says, in {time.monotonic() - began:.0f} s: {' && '.join(block.strip().splitlines())}")
        for name in ("holdfast-runtime", "holdfast", "holdfast-fleet"):
            size = next(self.packages.glob(f"{name}_*.deb")).stat().st_size / (1 << 20)
            self.figure(f"`{name}` .deb", {"holdfast-runtime": "25 MiB", "holdfast": "12 MiB", "holdfast-fleet": "15 MiB"}[name], f"{size:.1f} MiB")
        caches = self.machine.run("ls /usr/lib/holdfast/lib/*/start.aot /usr/lib/holdfast-fleet/lib/*/start.aot").split()
        hold(len(caches) == 4, f"start-up caches: {caches}")
        hold(self.machine.run("holdfast --version") and self.machine.run("fleet --version"), "no version")

    def waits_for_a_fleet(self):
        hold(self.machine.show(INFERENCE, "ActiveState") == "active", "the inference process is not ready without a model")
        hold(self.machine.show(AGENT, "ActiveState") == "inactive", "the agent of no fleet is not inactive")
        hold(self.machine.show(AGENT, "ConditionResult") == "no" and self.machine.show(AGENT, "NRestarts") == "0",
             "the agent of no fleet loops")
        say("without a fleet: the inference process is ready and serves nothing, the agent waits for /etc/holdfast/root.json; nothing "
            "failed, nothing loops")

    def is_confined(self):
        for unit, limit in ((AGENT, 1.5), (INFERENCE, 0.6)):
            judged = self.machine.run(f"systemd-analyze security --no-pager {unit}", check=False)
            exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", judged.stdout).group(1))
            hold(exposure <= limit, f"exposure of {unit}: {exposure}")
            say(f"systemd-analyze security {unit}: {exposure} (at most {limit})")

    def joins_a_fleet(self):
        machine = self.machine
        machine.write("/etc/systemd/system/lab-tpm.service", TPM)
        machine.run(f"runuser -u holdfast-fleet -- fleet init --dir {FLEET} --name demo --broker tcp://127.0.0.1:1883")
        examples = "/usr/share/doc/holdfast-fleet/examples"
        machine.run("mkdir -p /etc/mosquitto/lab && cd /etc/mosquitto/lab"
                    " && openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=lab-broker-ca -keyout ca.key -out ca.crt 2>/dev/null"
                    " && openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr 2>/dev/null"
                    " && echo subjectAltName=DNS:localhost >san && openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key"
                    " -CAcreateserial -days 30 -extfile san -out server.crt 2>/dev/null"
                    f" && cp {FLEET}/keys/device-ca.crt device-authority.crt"
                    f" && sed s/FLEET/demo/ {examples}/devices.acl >devices.acl && sed s/FLEET/demo/ {examples}/fleet.acl >fleet.acl"
                    " && chown -R mosquitto . && cp ca.crt /etc/holdfast/broker-ca.pem"
                    f" && cp {FLEET}/metadata/1.root.json /etc/holdfast/root.json && chmod 0644 /etc/holdfast/*.json /etc/holdfast/*.pem")
        machine.write("/etc/mosquitto/conf.d/lab.conf", BROKER)
        machine.write("/etc/holdfast/holdfast.toml", CONFIG.format(port=8884))
        machine.run("systemctl daemon-reload && systemctl start lab-tpm && systemctl restart mosquitto")
        machine.run("systemctl start holdfast-fleet")
        self.publish("1.0.0")
        machine.run("runuser -u holdfast -- holdfast provision --yes")
        machine.run("systemctl restart holdfast-inference && systemctl start holdfast")
        hold(machine.show(AGENT, "ActiveState") == "active", "the agent is not ready")
        self.is_let_in()
        until(60, "the device has a certificate", lambda: machine.run("test -s /var/lib/holdfast/certificates/tls.crt && echo yes", check=False).stdout)
        machine.write("/etc/holdfast/holdfast.toml", CONFIG.format(port=8883))
        machine.run("systemctl restart holdfast")
        say("provisioned on a TPM emulator, enrolled; from here on the broker lets in certificates alone. "
            f"systemctl status: \"{machine.show(AGENT, 'StatusText')}\"")

    def waits(self):
        """The device that waits to be let in, as the fleet lists it."""
        return until(60, "the device waits to be let in", lambda: json.loads(
            self.machine.run(f"fleet devices pending --dir {FLEET} --json", user="holdfast-fleet")))[0]

    def is_let_in(self):
        hold(self.waits()["endorsement"] in self.machine.run("holdfast status"), "the device shows another key than waits")
        self.machine.run(f"fleet devices accept --dir {FLEET} device-1", user="holdfast-fleet")

    def publish(self, version):
        self.machine.run(f"fleet publish --dir {FLEET} intent {version} /srv/demo/intent-{version}.gguf --template /srv/demo/template.json "
                         f"--canaries /srv/demo/canaries-{version}.json", user="holdfast-fleet", timeout=300)

    def desire(self, version):
        self.machine.run(f"fleet desire --dir {FLEET} device-1 intent {version}", user="holdfast-fleet")
        until(120, f"intent@{version} serves", lambda: self.machine.serving() == {f"intent@{version}"})

    def last_of_history(self):
        """Version and state of the newest line."""
        history = json.loads(self.machine.run("holdfast history --json"))
        last = (history if isinstance(history, list) else history["history"])[-1]
        return last["version"], last["state"]

    def updates_over_mtls(self):
        machine = self.machine
        self.desire("1.0.0")
        traffic = Traffic(machine)
        traffic.start()
        self.publish("2.0.0")
        began = time.monotonic()
        self.desire("2.0.0")
        took = time.monotonic() - began
        until(30, "the new model answers", lambda: "intent@2.0.0" in traffic.answers)
        traffic.end()
        hold(traffic.again == 0, f"{traffic.again} requests failed during the swap")
        hold(machine.run("grep -c \"u'device-1'\" /var/log/mosquitto/mosquitto.log") != "0", "no connection with a certificate")
        # What is killed during probation counts against the release, so the steps after this one wait for its end.
        until(60, "2.0.0 is committed", lambda: self.last_of_history() == ("2.0.0", "COMMITTED"))
        found = machine.run(f"journalctl -u {AGENT} HOLDFAST_MODEL=intent HOLDFAST_DEVICE=device-1 --no-pager -o json").splitlines()
        hold(any("COMMITTED" in json.loads(line)["MESSAGE"] for line in found), f"entries of the model in the journal: {found[-5:]}")
        say(f"an update over mutual TLS swapped the model in {took:.1f} s under traffic: {len(traffic.answers)} answers, 0 failed")

    def keeps_inference_apart(self):
        machine = self.machine
        pid = machine.pid(INFERENCE)
        devices = re.findall(r"^\s*(\S+):", machine.run(f"cat /proc/{pid}/net/dev"), re.M)
        hold(devices == ["lo"], f"network devices: {devices}")
        secret = "/var/lib/holdfast/tpm.auth"
        machine.run(f"test -s {secret}")
        inside = f"nsenter -t {pid} -m -- setpriv --reuid=holdfast-inference --regid=holdfast-api --init-groups "
        for path in (secret, "/var/lib/holdfast/provisioning.jsonl"):
            hold(machine.run(inside + f"cat {path}", check=False).returncode != 0, f"the inference process reads {path}")
        machine.run(inside + "ls /var/lib/holdfast/store/serving.json")
        hold(machine.run(inside + "touch /var/lib/holdfast/store/x", check=False).returncode != 0, "it writes the store")
        say("the inference process has no network device but lo, sees the store read-only and none of the agent's secrets")

    def comes_back_after_kill(self):
        for unit in (AGENT, INFERENCE):
            before, began = self.machine.pid(unit), time.monotonic()
            self.machine.run(f"kill -9 {before}")
            until(60, f"{unit} is back", lambda: self.machine.show(unit, "ActiveState") == "active" and self.machine.pid(unit) not in (0, before))
            until(60, "the model serves", lambda: self.machine.serving() == {"intent@2.0.0"} and self.machine.chat())
            say(f"kill -9 of {unit}: ready again after {time.monotonic() - began:.1f} s, the same model serves")

    def comes_back_after_a_hang(self):
        machine = self.machine
        before, began = {unit: machine.pid(unit) for unit in (AGENT, INFERENCE)}, time.monotonic()
        for pid in before.values():
            machine.run(f"kill -STOP {pid}")
        for unit, pid in before.items():
            until(150, f"{unit} is started again", lambda: machine.show(unit, "ActiveState") == "active" and machine.pid(unit) not in (0, pid), 0.5)
            hold("watchdog" in machine.run(f"journalctl -u {unit} --no-pager -n 50").lower(), f"no word of the watchdog on {unit}")
        until(60, "the model serves", lambda: machine.serving() == {"intent@2.0.0"} and machine.chat())
        say(f"both stopped by SIGSTOP: the watchdog ended them, and they serve again after {time.monotonic() - began:.0f} s")

    def stays_down_with_a_wrong_configuration(self):
        machine = self.machine
        machine.write("/etc/holdfast/holdfast.toml", CONFIG.format(port=8883) + "no-such-key = 1\n")
        for unit in (AGENT, INFERENCE):
            machine.run(f"systemctl restart {unit}", check=False)
            until(30, f"{unit} gives up", lambda: machine.show(unit, "ActiveState") == "failed")
            status, restarts = machine.show(unit, "ExecMainStatus"), machine.show(unit, "NRestarts")
            end = time.monotonic() + 7
            until(10, "longer than RestartSec is over", lambda: time.monotonic() > end)
            hold(status == "78" and machine.show(unit, "NRestarts") == restarts and machine.show(unit, "ActiveState") == "failed",
                 f"{unit}: exit code {status}, restarts {restarts}")
        words = machine.run(f"journalctl -u {AGENT} --no-pager -n 20 -o cat")
        hold("CFG-INVALID" in words, words)
        # Not by unit: of a process that has ended by the time its entry is read, the journal may not know it.
        found = machine.run("journalctl HOLDFAST_CODE=CFG-INVALID --no-pager -o json", check=False).stdout.splitlines()
        told = [entry for entry in map(json.loads, found) if "no-such-key" in entry["MESSAGE"]]
        hold(len(told) >= 2 and all(entry["MESSAGE_ID"] == CFG_INVALID_ID and entry["PRIORITY"] == "3" for entry in told),
             f"entries of both in the journal: {found}")
        machine.write("/etc/holdfast/holdfast.toml", CONFIG.format(port=8883))
        machine.run(f"systemctl start {INFERENCE} {AGENT}")
        until(60, "the model serves", lambda: machine.serving() == {"intent@2.0.0"})
        said = next(line for line in words.splitlines() if "CFG-INVALID" in line)
        say(f"a wrong configuration: exit code 78 of both, and no restart; it says \"{said}\"")

    def survives_no_memory(self):
        """Both daemons in one memory group of the host, and beside them somebody who takes what is left and cannot be ended."""
        machine = self.machine
        group = MemoryGroup()
        try:
            # What the container's first process starts while it is in the group takes its memory from there.
            group.add(machine.leader)
            machine.run(f"systemctl restart {INFERENCE} {AGENT}")
            until(60, "the model serves", lambda: machine.serving() == {"intent@2.0.0"} and machine.chat())
            group.remove(machine.leader)
            agent, before = machine.pid(AGENT), machine.pid(INFERENCE)
            # Nobody in a container lowers the agent's as its unit asks; the distance of the two is kept by raising the other one's.
            apart = int(machine.show(INFERENCE, "OOMScoreAdjust")) - int(machine.show(AGENT, "OOMScoreAdjust"))
            agents = int(pathlib.Path(f"/proc/{group.member('agent')}/oom_score_adj").read_text())
            pathlib.Path(f"/proc/{group.member('inference')}/oom_score_adj").write_text(str(min(1000, agents + apart)))
            group.exhaust()
            until(60, "the kernel ends the inference process", lambda: machine.pid(INFERENCE) not in (0, before))
        finally:
            group.close()
        until(90, "the model serves", lambda: machine.serving() == {"intent@2.0.0"} and machine.chat())
        hold("signal" in machine.run(f"journalctl -u {INFERENCE} --no-pager -n 60").lower(), "no word of it in the journal")
        hold(machine.pid(AGENT) == agent, "the agent was ended, too")
        say("out of memory with both in one group: the kernel ended the inference process and not the agent; it serves again. (Limits of "
            "units are not in force in this container.)")

    def measures(self):
        machine = self.machine
        machine.run(f"systemctl restart {INFERENCE} {AGENT}")
        until(60, "the model serves", lambda: machine.serving() == {"intent@2.0.0"})
        ready = {}
        for unit in (AGENT, INFERENCE):
            times = []
            for _ in range(5):
                machine.run(f"systemctl restart {unit}")
                times.append(machine.ready_seconds(unit))
            ready[unit] = statistics.median(times)
        until(60, "the broker is reached", lambda: "broker is not" not in machine.show(AGENT, "StatusText") and "idle" in machine.show(AGENT, "StatusText"))
        time.sleep(20)  # idle is what is measured
        for unit, goal, less in ((AGENT, "64 MiB", 0), (INFERENCE, "80 MiB beyond the model", 1.1)):
            resident, anonymous = machine.memory(unit)
            self.figure(f"{unit.removesuffix('.service')}, resident when idle", goal, f"{resident - less:.0f} MiB, of it {anonymous:.0f} MiB not of files")
            self.figure(f"{unit.removesuffix('.service')}, from start to READY, median of 5", "0.6 s" if unit == AGENT else "1.0 s", f"{ready[unit]:.2f} s")
        took = []
        for _ in range(5):
            began = time.monotonic()
            machine.run("holdfast status >/dev/null")
            took.append(time.monotonic() - began)
        memory = machine.peak_mib("holdfast status")
        self.figure("`holdfast status`, median of 5, peak resident", "0.3 s, 50 MiB", f"{statistics.median(took):.2f} s, {memory} MiB")
        for what, goal, value in self.figures:
            say(f"{what}: {value} (goal {goal})")

    def upgrades_under_traffic(self):
        machine = self.machine
        before = machine.run("dpkg-query -W -f '${Version}' holdfast")
        traffic = Traffic(machine)
        traffic.start()
        until(30, "traffic", lambda: len(traffic.answers) > 5)
        began = time.monotonic()
        machine.run("mv /srv/next/*.deb /srv/holdfast/")
        subprocess.run("apt-ftparchive packages . >Packages", shell=True, check=True, cwd=machine.root / "srv/holdfast")
        machine.run(f"apt-get update -qq && apt-get install -y -qq {KEEP} holdfast", timeout=400)
        took = time.monotonic() - began
        count = len(traffic.answers)
        until(60, "answers after the upgrade", lambda: len(traffic.answers) > count + 5)
        traffic.end()
        after = machine.run("dpkg-query -W -f '${Version}' holdfast")
        hold(after != before, f"still {after}")
        hold(set(traffic.answers) == {"intent@2.0.0"}, f"answered by {set(traffic.answers)}")
        self.figure("requests that an upgrade made ask again", "0", f"{traffic.again} of {len(traffic.answers)}, longest wait {traffic.gap:.1f} s")
        say(f"upgrade from {before} to {after} in {took:.0f} s under traffic, the same model serves: {len(traffic.answers)} answers, "
            f"{traffic.again} requests found nobody and asked again ({traffic.cut} of them were cut), longest wait {traffic.gap:.1f} s")

    def purges(self):
        machine = self.machine
        machine.run("systemctl stop mosquitto lab-tpm || true")
        said = machine.run(f"apt-get purge -y holdfast holdfast-fleet holdfast-runtime", timeout=200)
        hold("TEE still holds" in said, f"nothing is said of the TEE: {said}")
        hold("only keys of a fleet" in said, "nothing is said of the fleet's keys")
        left = machine.run("find / -xdev \\( -path /proc -o -path /sys -o -path /srv -o -path /var/lib/holdfast-fleet \\) -prune -o -iname '*holdfast*' -print"
                           " | grep -v -e /var/lib/apt/ -e /var/cache/apt/ -e /etc/apt/ -e /var/lib/systemd/ -e /var/log/ || true", check=False).stdout.split()
        hold(not left, f"left behind: {left}")
        hold(machine.run("getent passwd | grep holdfast | grep -v holdfast-fleet", check=False).stdout == "", "users are left")
        failed = machine.run("systemctl --failed --no-legend | grep holdfast", check=False).stdout
        hold(failed == "", failed)
        say("purge removed every file, unit and user, kept the fleet's keys, and said what stays in the TEE")

    def record(self):
        page = DOCS / "performance.md"
        rows = "\n".join(f"| {what} | {goal} | {value} |" for what, goal, value in self.figures)
        text = page.read_text()
        begin, end = "<!-- package:begin -->", "<!-- package:end -->"
        before, rest = text.split(begin)
        page.write_text(before + begin + "\n| what | goal | figure |\n|---|---|---|\n" + rows + "\n" + end + rest.split(end)[1])


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--root", required=True)
    options.add_argument("--nspawn", required=True)
    options.add_argument("--packages", required=True, type=pathlib.Path)
    options.add_argument("--record", action="store_true")
    options.add_argument("--go-on", action="store_true", help="tell of every step that does not hold, not of the first alone")
    chosen = options.parse_args()
    try:
        unheld = []
        story = Story(Machine(chosen.root, chosen.nspawn), chosen.packages)
        for step in (story.boots, story.installs, story.waits_for_a_fleet, story.is_confined, story.joins_a_fleet, story.updates_over_mtls,
                     story.keeps_inference_apart, story.comes_back_after_kill, story.comes_back_after_a_hang,
                     story.stays_down_with_a_wrong_configuration, story.survives_no_memory, story.measures, story.upgrades_under_traffic,
                     story.purges):
            try:
                step()
            except Broken as broken:
                journal = story.machine.run("journalctl --no-pager -n 60 -o short-monotonic", check=False).stdout
                found = Broken(f"{step.__name__}: {broken}\n{journal}")
                if not chosen.go_on:
                    raise found from broken
                say(f"BROKEN: {found}")
                unheld.append(step.__name__)
        hold(not unheld, f"steps that do not hold: {', '.join(unheld)}")
        if chosen.record:
            story.record()
        say("the lab is done")
    except Broken as broken:
        fail(broken)


if __name__ == "__main__":
    main()
