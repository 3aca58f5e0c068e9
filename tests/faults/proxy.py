"""Between a client and PostgreSQL: counts the COMMITs, and at the Nth one cuts the connection.

    with Proxy(server.port) as proxy:
        proxy.cut(3, Proxy.BEHIND)
        url = server.url.replace(str(server.port), str(proxy.port))

BEFORE: the server never hears of the COMMIT. BEHIND: it has committed, and nobody hears its answer.
"""
import socket
import threading


class Proxy:
    BEFORE, BEHIND = "before", "behind"

    def __init__(self, port):
        self.server = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.commits = 0
        self.at, self.where, self.then = 0, None, None
        self.cuts = 0

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def cut(self, at, where, then=None):
        """Counts anew; `then` is called when the connection is cut."""
        with self.lock:
            self.commits = self.cuts = 0
            self.at, self.where, self.then = at, where, then

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            server = socket.create_connection(self.server)
        except OSError:
            client.close()
            return
        doomed = threading.Event()  # the answer that comes now must not be heard
        up = threading.Thread(target=self._carry, args=(client, server, lambda data: self._ask(data, doomed)), daemon=True)
        up.start()
        self._carry(server, client, lambda data: not (doomed.is_set() and b"COMMIT\0" in data and self._hit()))
        up.join()
        client.close()
        server.close()

    # A message that says COMMIT is small, and comes in one piece.
    def _ask(self, data, doomed):
        if b"COMMIT\0" not in data:
            return True
        with self.lock:
            self.commits += 1
            is_hit = self.commits == self.at
        if is_hit and self.where == self.BEFORE:
            return not self._hit()
        if is_hit:
            doomed.set()
        return True

    def _hit(self):
        self.cuts += 1
        if self.then:
            self.then()
        return True

    @staticmethod
    def _carry(source, target, may_pass):
        try:
            while data := source.recv(1 << 16):
                if not may_pass(data):
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
