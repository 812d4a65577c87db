--- Header lines: what is between the status line and the body.

local form = require "spec.helpers.wire_cases.form"

local OK, EITHER, REFUSED = form.OK, form.EITHER, form.REFUSED
local ok, sized = form.ok, form.sized

local LIMIT = "ngx counts interim responses as head, up to 64 KiB; libcurl starts anew with each"

local LISTS = "libcurl 8.19 does not find close in a list"
local CLOSE_UNSEEN = { ["8.19"] = { kept = "either" } }

return {
  { name = "Connection: close", bytes = sized("Connection: close\n"), kept = false },
  { name = "CLOSE in a list", bytes = sized("Connection: foo, CLOSE\n"), kept = false,
    libcurl = CLOSE_UNSEEN, why = LISTS },
  { name = "Keep-Alive, close", bytes = sized("Connection: Keep-Alive, close\n"), kept = false,
    libcurl = CLOSE_UNSEEN, why = LISTS },
  { name = "a folded Connection: close", bytes = sized("Connection:\n close\n"), after = "close", allow = EITHER,
    ngx = REFUSED, why = "ngx accepts no fold in what frames the body or ends the connection" },
  { name = "an offer of another protocol", bytes = sized("Upgrade: h2,h2c\nConnection: Upgrade\n") },
  { name = "Alt-Svc and Strict-Transport-Security", kept = true,
    bytes = sized('Alt-Svc: h2="127.0.0.1:1"\nStrict-Transport-Security: max-age=1\n') },
  { name = "Set-Cookie", bytes = sized("Set-Cookie: a=b\n"), kept = true },
  { name = "bytes above 127", bytes = sized("Server: M\195\188ller\nX-Bin: \255\254\n"), kept = true },
  { name = "a line without a colon", bytes = sized("nonsense\n"), allow = REFUSED, curl = EITHER,
    why = "some versions of libcurl skip it" },
  { name = "an empty name", bytes = sized(": x\n"), allow = REFUSED, curl = EITHER, why = "libcurl skips it" },
  { name = "a folded line", bytes = sized("X: a\n  b\n"), kept = true },
  { name = "a fold in the first line", bytes = sized(" x\n"), allow = REFUSED, curl = EITHER,
    why = "some versions of libcurl skip it" },
  { name = "NUL in a header", bytes = sized("X: a\0b\n"), allow = REFUSED, curl = EITHER,
    why = "old versions of libcurl end the value there" },
  { name = "CR in a header", bytes = sized("X: a\rContent-Length: 2\n"), allow = EITHER, ngx = REFUSED,
    why = "RFC 9112 2.2 allows to refuse it or to read a space" },
  { name = "a header of 64,000 bytes", bytes = sized("X: " .. ("y"):rep(64000) .. "\n"), kept = true },
  { name = "a header of 99,000 bytes", bytes = sized("X: " .. ("y"):rep(99000) .. "\n"), allow = { "too_large" } },
  { name = "a header of 200,000 bytes", bytes = sized("X: " .. ("y"):rep(200000) .. "\n"),
    allow = { "too_large" } },
  { name = "2000 headers", bytes = sized(("X: y\n"):rep(2000)), kept = true },
  { name = "LF only", bytes = "HTTP/1.1 200 OK\nContent-Length: 8\n\n" .. form.BODY, allow = EITHER, ngx = { OK },
    why = "RFC 9112 2.2 allows a client to accept LF" },
  { name = "LF behind the last header", bytes = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\n" .. form.BODY,
    allow = EITHER, ngx = { OK }, why = "RFC 9112 2.2 allows a client to accept LF" },
  { name = "CR only", bytes = "HTTP/1.1 200 OK\rContent-Length: 8\r\r" .. form.BODY, after = "close",
    allow = REFUSED },
  { name = "300 interim responses", allow = { OK, "too_large" }, ngx = { "too_large" }, why = LIMIT,
    bytes = ("HTTP/1.1 103 E\r\nX: " .. ("y"):rep(500) .. "\r\n\r\n"):rep(300) .. sized() },
  { name = "interim responses without an end", allow = { "too_large", "network" }, ngx = { "too_large" }, why = LIMIT,
    bytes = ("HTTP/1.1 103 E\r\nX: " .. ("y"):rep(500) .. "\r\n\r\n"):rep(300), after = "close" },
  { name = "700 interim responses", allow = { "too_large" }, why = LIMIT,
    libcurl = { ["7.69"] = { allow = { OK } }, ["7.79"] = { allow = { OK } } },
    bytes = ("HTTP/1.1 103 E\r\nX: " .. ("y"):rep(500) .. "\r\n\r\n"):rep(700) .. sized() },
  { name = "a header that repeats Content-Length in its value", bytes = ok("X: Content-Length: 2\nContent-Length: 8\n"),
    kept = true },
}
