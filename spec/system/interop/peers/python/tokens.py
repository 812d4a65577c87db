"""What Google's and PyPI's libraries make of what this library signs and sends.

Its argument is JSON: `messages` (FCM messages), `account` and `assertion` (a service account and what it signed), and
`tokens` (of Beams). It prints the messages as firebase-admin encodes them, and headers and claims of the tokens.
"""

import json
import sys

import jwt
from firebase_admin import _messaging_encoder, messaging
from google.auth import jwt as google_jwt
from google.oauth2 import service_account

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"


def made(kind, members):
    return kind(**members) if members is not None else None


def android(members):
    if members is None:
        return None
    members = dict(members, notification=made(messaging.AndroidNotification, members.get("notification")))
    if "ttl" in members:
        members["ttl"] = int(members["ttl"].rstrip("s"))
    return messaging.AndroidConfig(**members)


def aps(members):
    members = dict(members)
    if isinstance(members.get("alert"), dict):
        members["alert"] = messaging.ApsAlert(**members["alert"])
    for name in ("content-available", "mutable-content"):
        if name in members:
            members[name.replace("-", "_")] = members.pop(name) == 1
    if "thread-id" in members:
        members["thread_id"] = members.pop("thread-id")
    return messaging.Aps(**members)


def apns(members):
    if members is None:
        return None
    payload = dict(members["payload"])
    return messaging.APNSConfig(
        headers=members.get("headers"), payload=messaging.APNSPayload(aps(payload.pop("aps")), **payload))


def webpush(members):
    if members is None:
        return None
    return messaging.WebpushConfig(
        headers=members.get("headers"), data=members.get("data"),
        notification=made(messaging.WebpushNotification, members.get("notification")),
        fcm_options=made(messaging.WebpushFCMOptions, members.get("fcm_options")))


def encoded(message):
    """The message, taken apart, put into firebase-admin's classes, and encoded by them."""
    message = dict(message)
    for name, make in (("android", android), ("apns", apns), ("webpush", webpush)):
        message[name] = make(message.get(name))
    message["notification"] = made(messaging.Notification, message.get("notification"))
    message["fcm_options"] = made(messaging.FCMOptions, message.get("fcm_options"))
    return json.loads(_messaging_encoder.MessageEncoder().encode(messaging.Message(**message)))


def verified(assertion, account, public_key):
    claims = google_jwt.decode(assertion, certs=public_key, audience=account["token_uri"])
    return {"header": google_jwt.decode_header(assertion), "claims": claims}


def googles_own(account, public_key):
    credentials = service_account.Credentials.from_service_account_info(account, scopes=[SCOPE])
    return verified(credentials._make_authorization_grant_assertion(), account, public_key)


def beams(token):
    required = {"require": ["exp", "iss", "sub"]}
    claims = jwt.decode(token["token"], token["key"], algorithms=["HS256"], issuer=token["issuer"], options=required)
    return {"header": jwt.get_unverified_header(token["token"]), "claims": claims}


given = json.loads(sys.argv[1])
print(json.dumps({
    "messages": [encoded(message) for message in given["messages"]],
    "assertion": verified(given["assertion"], given["account"], given["public_key"]),
    "googles_own": googles_own(given["account"], given["public_key"]),
    "beams": [beams(token) for token in given["tokens"]],
}))
