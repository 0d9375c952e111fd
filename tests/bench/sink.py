"""A mail server that takes everything and keeps nothing: what is measured beside it is the sender alone."""

import socket
import socketserver


class Sink(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        for line in self.rfile:
            command = line[:4].upper()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                for words in self.rfile:
                    if words == b".\r\n":
                        break
                self.wfile.write(b"250 2.0.0 taken\r\n")
            elif command == b"QUIT":
                return
            else:
                self.wfile.write(b"250 2.0.0 fine\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads = True, True
    address_family = socket.AF_INET


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Sink) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
