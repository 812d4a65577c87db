"""The Python side of the benchmark: PyPI's pusher, driven over stdin.

Protocol: see ../../README.md. argv: inputs.json, port of the server.
"""

import hashlib
import hmac
import json
import re
import sys
import time
from urllib.parse import parse_qsl

import pusher

with open(sys.argv[1]) as file:
    INPUTS = json.load(file)
CLIENT = pusher.Pusher(
    app_id=INPUTS["app_id"],
    key=INPUTS["key"],
    secret=INPUTS["secret"],
    host="127.0.0.1",
    port=int(sys.argv[2]),
    ssl=False,
    encryption_master_key_base64=INPUTS["master_key_base64"],
)


def authorize(form, member=None):
    # The library takes the socket and the channel as two arguments, and need not decode the form.
    fields = dict(parse_qsl(form))

    def call():
        result = CLIENT.authenticate(fields["channel_name"], fields["socket_id"], member)
        if "shared_secret" in result:  # bytes, which json does not write
            result["shared_secret"] = result["shared_secret"].decode()
        return json.dumps(result)
    return call


def webhook(body, count):
    # The library refuses bodies that are older than five minutes.
    body = re.sub(r'"time_ms":\d+', '"time_ms":%d' % (time.time() * 1000), body)
    signature = hmac.new(INPUTS["secret"].encode(), body.encode(), hashlib.sha256).hexdigest()
    return lambda: CLIENT.validate_webhook(INPUTS["key"], signature, body)["events"][count - 1]["data"]


def trigger(channels, data):
    def call():
        CLIENT.trigger(channels, INPUTS["event"], data)
        return "ok"
    return call


def batch():
    CLIENT.trigger_batch([
        {"channel": INPUTS["channel"], "name": INPUTS["event"], "data": INPUTS["event_data"]} for _ in range(10)
    ])
    return "ok"


def operation(name):
    """The operation of a name, made anew for each run. None when there is none."""
    number = int(re.search(r"\d*$", name).group() or 0)
    if name == "authorize_private":
        return authorize(INPUTS["private_form"])
    if name == "authorize_presence":
        return authorize(INPUTS["presence_form"], INPUTS["member"])
    if name == "authorize_encrypted":
        return authorize(INPUTS["encrypted_form"])
    if name in ("webhook", "webhook_10"):
        return webhook(INPUTS[name + "_body"], number or 1)
    if name == "trigger":
        return trigger(INPUTS["channel"], INPUTS["data"])
    if name == "batch":
        return batch
    return None


def reply(line):
    first, second = line.split()
    call = operation(second if first == "show" else first)
    if call is None:
        return "none"
    if first == "show":
        return call()
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    for _ in range(int(second)):
        call()
    return "%d %d" % (time.perf_counter_ns() - wall, time.process_time_ns() - cpu)


for text in sys.stdin:
    try:
        result = reply(text)
    except Exception as failure:
        result = "error %r" % failure
    print(result, flush=True)
