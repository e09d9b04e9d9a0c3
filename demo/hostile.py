"""A network that lies, between a device and its broker."""

import socket
import threading


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
