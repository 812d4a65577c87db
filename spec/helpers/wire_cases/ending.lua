--- Connections that end around a response, and responses that come before the whole request.

local form = require "spec.helpers.wire_cases.form"

local EITHER, REFUSED, BODY = form.EITHER, form.REFUSED, form.BODY
local ok, response, sized = form.ok, form.response, form.sized

-- More than the kernel's buffers hold.
local BIG = { body = ("b"):rep(8 * 1024 * 1024) }

return {
  { name = "nothing, then the end", bytes = "", after = "close", allow = REFUSED },
  { name = "nothing, then an end without close_notify", bytes = "", after = "cut", allow = REFUSED },
  { name = "nothing, then RST", bytes = "", after = "reset", allow = REFUSED },
  { name = "half a head, then the end", bytes = "HTTP/1.1 200 OK\r\nContent-Le", after = "close", allow = REFUSED,
    arrivals = 2 },
  { name = "half a body, then the end", bytes = ok("Content-Length: 100\n"), after = "close", allow = REFUSED,
    arrivals = 2 },
  { name = "half a body, then RST", bytes = ok("Content-Length: 100\n"), after = "reset", allow = REFUSED,
    arrivals = 2 },
  { name = "a response, then the end", bytes = sized(), after = "close", kept = false },
  { name = "a response, then an end without close_notify", bytes = sized(), after = "cut", kept = false },
  { name = "a response, then RST", bytes = sized(), after = "reset", allow = EITHER, kept = false,
    ngx = { form.OK }, why = "a client that reads once more before it looks finds the connection broken" },
  { name = "a response, then the end of the server's direction", bytes = sized(), after = "half", kept = false },
  { name = "a response before the request's body", bytes = sized(), after = "early", request = BIG },
  { name = "413 before the request's body, then RST", after = "early", ending = "reset", request = BIG,
    bytes = response("HTTP/1.1 413 Too Large\nConnection: close\nContent-Length: 8\n", BODY),
    allow = { { status = 413, body = BODY }, "network" } },
  { name = "413 before the request's body, then the end", after = "early", ending = "close", request = BIG,
    bytes = response("HTTP/1.1 413 Too Large\nConnection: close\nContent-Length: 8\n", BODY),
    allow = { { status = 413, body = BODY }, "network" } },
}
