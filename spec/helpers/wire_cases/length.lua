--- Bodies of a given length, and lengths that are none.

local form = require "spec.helpers.wire_cases.form"

local BODY, OK, EITHER, REFUSED = form.BODY, form.OK, form.EITHER, form.REFUSED
local ok, response, sized = form.ok, form.response, form.sized

local LENIENT = "libcurl reads the digits up to the first other byte, ngx wants digits only (RFC 9110 8.6)"
local SURPLUS = "libcurl 7.69 drops the bytes that it has read, and keeps the connection"
local DROPPED = { ["7.69"] = { kept = "either" } }

return {
  { name = "a length", bytes = sized(), kept = true },
  { name = "a length, byte by byte", bytes = sized("X-A: b\n"), size = 1, kept = true },
  { name = "a length without a space, empty headers", bytes = ok("X-Empty:\nContent-Length:8\nX:\n"), kept = true },
  { name = "length zero", bytes = response("HTTP/1.1 200 OK\nContent-Length: 0\n"),
    allow = { { status = 200, body = "" } }, kept = true },
  { name = "a body of any bytes", bytes = response("HTTP/1.1 200 OK\nContent-Length: 9\n", "\239\187\191{}\0\r\n\255"),
    allow = { { status = 200, body = "\239\187\191{}\0\r\n\255" } }, kept = true },
  { name = "Content-Encoding: gzip that nobody asked for", kept = true,
    bytes = response(("HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: %d\n"):format(#form.GZIP), form.GZIP),
    allow = { { status = 200, body = form.GZIP } } },
  { name = "Content-Encoding: gzip of what is not", bytes = sized("Content-Encoding: gzip\n"), kept = true },
  { name = "two equal lengths", bytes = sized("Content-Length: 8\n"), kept = true },
  { name = "a list of equal lengths", bytes = ok("Content-Length: 8, 8\n"), allow = EITHER, ngx = { OK },
    why = "RFC 9112 6.3 allows both" },
  { name = "two different lengths", bytes = sized("Content-Length: 4\n"), allow = REFUSED,
    curl = { { status = 200, body = BODY }, "network" }, why = "libcurl believes one of them" },
  { name = "two different lengths, the last one shorter", bytes = ok("Content-Length: 8\nContent-Length: 4\n"),
    allow = REFUSED, curl = { { status = 200, body = '{"ok' }, OK, "network" }, why = "libcurl believes one of them" },
  { name = "a list of different lengths", bytes = ok("Content-Length: 8, 4\n"), allow = REFUSED, curl = EITHER,
    why = LENIENT },
  { name = "length -1", bytes = ok("Content-Length: -1\n"), after = "close", allow = REFUSED },
  { name = "length +8", bytes = ok("Content-Length: +8\n"), allow = REFUSED, curl = EITHER, why = LENIENT },
  { name = "length 0x8", bytes = ok("Content-Length: 0x8\n"), allow = REFUSED,
    curl = { { status = 200, body = "" }, "network" }, why = LENIENT },
  { name = "length 8 8", bytes = ok("Content-Length: 8 8\n"), allow = REFUSED, curl = EITHER, why = LENIENT },
  { name = "an empty length", bytes = ok("Content-Length:\n"), after = "close", allow = REFUSED, curl = EITHER,
    why = "a libcurl that takes it for no length reads up to the end of the connection" },
  { name = "length 2^63", bytes = ok("Content-Length: 9223372036854775808\n"), after = "close",
    allow = { "too_large", "network" }, ngx = REFUSED, why = "ngx reads at most 15 digits" },
  { name = "length 2^64 + 8", bytes = ok("Content-Length: 18446744073709551624\n"), after = "close",
    allow = { "too_large", "network" }, ngx = REFUSED, why = "ngx reads at most 15 digits" },
  { name = "NUL in a length", bytes = ok("Content-Length: 8\0000\n"), allow = REFUSED, curl = EITHER, why = LENIENT },
  { name = "a folded length", bytes = ok("Content-Length:\n 8\n"), allow = REFUSED, curl = EITHER,
    why = "RFC 9112 5.2 lets a client put the lines together; ngx accepts no fold in what frames the body" },
  { name = "a length with a folded digit", bytes = ok("Content-Length: 8\n 0\n"), allow = REFUSED, curl = EITHER,
    why = "libcurl ignores the fold or reads up to the space" },
  { name = "a space before the colon", bytes = ok("Content-Length : 8\n"), allow = REFUSED,
    curl = { OK, "network", "timeout" },
    why = "a libcurl that takes it for another header waits for the end of the connection" },
  { name = "a body longer than its length", kept = false,
    bytes = response("HTTP/1.1 200 OK\nContent-Length: 2\n", "{}" .. BODY), allow = { { status = 200, body = "{}" } },
    libcurl = DROPPED, why = SURPLUS },
  { name = "a second response right behind the first", bytes = sized() .. form.FORGED, kept = false,
    libcurl = DROPPED, why = SURPLUS },
  { name = "40 KB behind a response", bytes = sized() .. ("x"):rep(40000), kept = false },
  { name = "a body shorter than its length", bytes = ok("Content-Length: 20\n"), after = "close", allow = REFUSED },
  { name = "no length, up to the end of the connection", bytes = ok(""), after = "close" },
  { name = "no length in HTTP/1.0", bytes = response("HTTP/1.0 200 OK\n", BODY), after = "close" },
  { name = "no length, up to an end without close_notify", bytes = ok(""), after = "cut", allow = EITHER,
    ngx = { OK }, why = "over TLS the body may have been cut short: libcurl says so, nginx cannot" },
}
