"""What `./dev lab --versions` tells: a fleet of this version with a device of an older one, which takes an update, proves it, is upgraded,
and goes back. With --record the row of docs/upgrading.md is written."""

import argparse
import pathlib
import re

from machine import Broken, Machine, fail, hold, say, until
from story import AGENT, DOCS, FLEET, INFERENCE, KEEP, Story


class Versions(Story):
    def __init__(self, machine, packages, older):
        super().__init__(machine, packages)
        self.older = older
        self.newer = None

    def version(self, package):
        return self.machine.run(f"dpkg-query -W -f '${{Version}}' {package}")

    def installs_an_older_device(self):
        for block in re.findall(r"```sh lab\n(.*?)```", (DOCS / "operating.md").read_text(), re.S):
            self.machine.run(block, timeout=400)
        self.newer = self.version("holdfast")
        self.installs(self.older)
        say(f"a device of {self.version('holdfast')}, a fleet of {self.version('holdfast-fleet')}")

    def installs(self, version):
        self.machine.run(f"apt-get install -y -qq {KEEP} --allow-downgrades holdfast={version}", timeout=400)
        hold(self.version("holdfast") == version, f"holdfast is {self.version('holdfast')}")

    def is_let_in(self):
        """An older device does not show the key that it waits with."""
        self.waits()
        self.machine.run(f"fleet devices accept --dir {FLEET} device-1", user="holdfast-fleet")

    def updates_and_proves(self, version):
        self.desire(version)
        until(60, f"{version} is committed", lambda: self.last_of_history() == (version, "COMMITTED"))
        said = self.machine.run(f"fleet attest --dir {FLEET} --min-assurance emulated device-1", user="holdfast-fleet")
        hold(f"intent@{version}" in said, f"evidence does not name intent@{version}: {said}")
        say(f"{self.version('holdfast')} took intent {version} and proved it")

    def serves_after(self, version, what):
        self.installs(version)
        until(60, "both daemons are ready", lambda: all(self.machine.show(unit, "ActiveState") == "active" for unit in (AGENT, INFERENCE)))
        serving = self.last_of_history()[0]
        until(60, "the model serves", lambda: self.machine.serving() == {f"intent@{serving}"} and self.machine.chat())
        say(f"{what} to {version}: intent {serving} serves as before")

    def is_upgraded(self):
        self.serves_after(self.newer, "upgraded")

    def goes_back(self):
        self.serves_after(self.older, "went back")

    def record(self):
        page = DOCS / "upgrading.md"
        begin, end = "<!-- versions:begin -->", "<!-- versions:end -->"
        before, rest = page.read_text().split(begin)
        rows, after = rest.split(end)
        row = f"| {self.older} | {self.newer} | held | held | held | held |"
        kept = [line for line in rows.strip().splitlines() if not line.startswith(f"| {self.older} |")]
        page.write_text(before + begin + "\n" + "\n".join(kept + [row]) + "\n" + end + after)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--root", required=True)
    options.add_argument("--nspawn", required=True)
    options.add_argument("--packages", required=True, type=pathlib.Path)
    options.add_argument("--older", required=True)
    options.add_argument("--record", action="store_true")
    chosen = options.parse_args()
    try:
        story = Versions(Machine(chosen.root, chosen.nspawn), chosen.packages, chosen.older)
        for step in (story.boots, story.installs_an_older_device, story.joins_a_fleet, lambda: story.updates_and_proves("1.0.0"),
                     lambda: story.publish("2.0.0"), lambda: story.updates_and_proves("2.0.0"), story.is_upgraded,
                     lambda: story.updates_and_proves("1.0.0"), story.goes_back, lambda: story.updates_and_proves("2.0.0")):
            try:
                step()
            except Broken as broken:
                raise Broken(f"{broken}\n{story.machine.run('journalctl --no-pager -n 60 -o short-monotonic', check=False).stdout}") from broken
        if chosen.record:
            story.record()
        say(f"{chosen.older} and {story.newer} side by side: done")
    except Broken as broken:
        fail(broken)


if __name__ == "__main__":
    main()
