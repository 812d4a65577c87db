"""PyPI's `pusher` as a peer: see ../node.js for what goes in and comes out."""

import json
import sys

import pusher

given = json.loads(sys.argv[1])
app = given["app"]
client = pusher.Pusher(
    app_id=app["app_id"], key=app["key"], secret=app["secret"], host=app["host"], port=app["port"], ssl=False,
    encryption_master_key_base64=app["master_key"])


def attributes(params):
    return params["info"].split(",") if "info" in params else []


def trigger(call):
    if "info" in call:
        return {"skipped": True}
    client.trigger(call["channels"], call["event"], call["data"], call.get("socket_id"))


def authorize(call):
    value = client.authenticate(call["channel"], call["socket_id"], call.get("member"))
    return {"text": json.dumps(value, default=bytes.decode)}  # a shared secret is bytes


def authenticate(call):
    try:
        return {"text": json.dumps(client.authenticate_user(call["socket_id"], call["user"]))}
    except ValueError:  # an id that this library does not allow
        return {"skipped": True}


OPS = {
    "trigger": trigger,
    "batch": lambda call: client.trigger_batch(call["events"]),
    "send_to_user": lambda call: client.send_to_user(call["user"], call["event"], call["data"]),
    "terminate": lambda _: {"skipped": True},  # 3.3.4 leaves /apps/ID out of the path
    "channels": lambda call: client.channels_info(call["params"].get("filter_by_prefix"), attributes(call["params"])),
    "channel": lambda call: client.channel_info(call["channel"], attributes(call["params"])),
    "users": lambda call: client.users_info(call["channel"]),
    "authorize": authorize,
    "authenticate": authenticate,
}


def result(call):
    value = OPS[call["op"]](call)
    return value if value and ("text" in value or "skipped" in value) else {}


print(json.dumps([result(call) for call in given["calls"]]))
