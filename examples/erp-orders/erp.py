#!/usr/bin/env python3
"""A small ERP, for the example only: sales orders are created by POST /api/sales-orders, one a call.

    python3 erp.py [PORT]

It keeps its orders in out/erp-orders.jsonl. What it does as real ones do: it asks for a token, answers 422 to an order that it
can't book, creates an order once however often it is asked with the same Idempotency-Key, is busy now and then (503), and has an
order of which it dies, which it answers with 500, each time.
"""
import http.server
import json
import pathlib
import sys
import threading

CUSTOMERS = {"C-100", "C-101", "C-102", "C-103", "C-104"}
BOOK = pathlib.Path("out/erp-orders.jsonl")
lock = threading.Lock()
answers = {}  # by Idempotency-Key
calls = 0


def book(order):
    """The status and the answer of a new order."""
    if order["customer"] not in CUSTOMERS:
        return 422, {"error": f"there is no customer {order['customer']}"}
    if not order["lines"]:
        return 422, {"error": "an order needs a line"}
    total = 0
    for line in order["lines"]:
        total += line["quantity"] * round(100 * line["price"]) // line["pack"]  # a pack of none: it dies of that
    number = f"SO-{len(answers) + 1:05}"
    BOOK.parent.mkdir(exist_ok=True)
    with BOOK.open("a") as out:
        print(json.dumps({"number": number, "reference": order["reference"], "customer": order["customer"],
                          "total": total / 100}), file=out)
    return 201, {"number": number, "total": total / 100}


class Erp(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        global calls
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            calls += 1
            key = self.headers.get("Idempotency-Key")
            if self.headers.get("Authorization") != "Bearer secret-of-the-example":
                return self.answer(401, {"error": "who are you?"})
            if calls % 40 == 0:
                return self.answer(503, {"error": "busy"}, {"Retry-After": "0"})
            if key in answers:
                return self.answer(*answers[key])
            try:
                status, answer = book(json.loads(body))
            except Exception as error:
                return self.answer(500, {"error": f"internal error: {error}"})
            if status == 201:
                answers[key] = status, answer
        self.answer(status, answer)

    def answer(self, status, value, headers=None):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", "Content-Length": len(body), **(headers or {})}.items():
            self.send_header(name, str(text))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer.request_queue_size = 128
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8099), Erp).serve_forever()
