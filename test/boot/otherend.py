"""The other end of a guest's network, on this host: 10.0.2.2 for the guest."""

import hashlib
import http.server
import socket
import threading


class OtherEnd:
    """A server of HTTP that answers with these bytes, whatever is asked for, or with those that a name has; and a port
    that hashes what it is sent."""

    def __init__(self, sent, named=None):
        self.bytes, self.heard = sent, None

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer = (named or {}).get(self.path, sent)
                self.send_response(200)
                self.send_header('Content-Length', str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Answer)
        self.listener = socket.create_server(('127.0.0.1', 0))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        threading.Thread(target=self.hear, daemon=True).start()

    def hear(self):
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return  # nobody has called
        sum = hashlib.md5()
        with connection:
            while piece := connection.recv(65536):
                sum.update(piece)
        self.heard = sum.hexdigest()

    def end(self):
        self.server.shutdown()
        self.server.server_close()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
