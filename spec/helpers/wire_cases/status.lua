--- Status lines, and what a status says about the body.

local form = require "spec.helpers.wire_cases.form"

local BODY, OK, EITHER, REFUSED = form.BODY, form.OK, form.EITHER, form.REFUSED
local response, sized = form.response, form.sized

local LENIENT = "libcurl's versions accept different status lines; ngx accepts HTTP/1.0 and HTTP/1.1 (RFC 9112 4)"

-- A sized response with this status line.
local function line(text)
  return response(text .. "\nContent-Length: 8\n", BODY)
end

-- A response without a body.
local function bare(text)
  return response("HTTP/1.1 " .. text .. "\n")
end

local function got(status, body)
  return { { status = status, body = body or "" } }
end

return {
  { name = "HTTP/1.0", bytes = line("HTTP/1.0 200 OK"), after = "close" },
  { name = "HTTP/1.0 that stays open", bytes = line("HTTP/1.0 200 OK"), kept = false },
  { name = "HTTP/1.0 with Connection: keep-alive", bytes = line("HTTP/1.0 200 OK\nConnection: keep-alive") },
  { name = "100", bytes = response("HTTP/1.1 100 Continue\n") .. sized(), kept = true },
  { name = "100, byte by byte", bytes = response("HTTP/1.1 100 Continue\n") .. sized(), size = 1, kept = true },
  { name = "103 three times", bytes = response("HTTP/1.1 103 Early Hints\nLink: x\n"):rep(3) .. sized(), kept = true },
  { name = "103 with a length", bytes = response("HTTP/1.1 103 Early Hints\nContent-Length: 3\n") .. sized(),
    kept = true },
  { name = "101", bytes = bare("101 Switching Protocols\nUpgrade: x\nConnection: upgrade"),
    allow = { "network", "timeout" }, ngx = REFUSED, why = "some versions of libcurl wait for what follows" },
  { name = "204", bytes = bare("204 No Content"), allow = got(204), kept = true },
  { name = "204 with length zero", bytes = bare("204 No Content\nContent-Length: 0"), allow = got(204), kept = true },
  { name = "204 with a body", bytes = line("HTTP/1.1 204 No Content"), allow = got(204) },
  { name = "204 with a body of 40 KB", allow = got(204), kept = false,
    bytes = bare("204 No Content\nContent-Length: 40000") .. ("x"):rep(40000) },
  { name = "304 with the length of what it stands for", bytes = bare("304 Not Modified\nContent-Length: 8"),
    allow = got(304), kept = true },
  { name = "a redirect", bytes = bare("302 Found\nLocation: http://127.0.0.1:1/\nContent-Length: 0"),
    allow = got(302), kept = true },
  { name = "401 with a challenge", bytes = bare("401 X\nWWW-Authenticate: Basic\nContent-Length: 0"),
    allow = got(401), kept = true },
  { name = "407 from a server", bytes = bare("407 X\nProxy-Authenticate: Basic\nContent-Length: 0"), allow = got(407) },
  { name = "503 with a huge Retry-After", allow = got(503), kept = true,
    bytes = bare("503 X\nRetry-After: 99999999999999999999999\nContent-Length: 0") },
  { name = "a phrase of 200,000 bytes", bytes = line("HTTP/1.1 200 " .. ("y"):rep(200000)), allow = { "too_large" } },
  { name = "no phrase", bytes = line("HTTP/1.1 200"), kept = true },
  { name = "status 000", bytes = line("HTTP/1.1 000 X"), allow = REFUSED },
  { name = "status 99", bytes = line("HTTP/1.1 99 X"), allow = REFUSED },
  { name = "status 2000", bytes = line("HTTP/1.1 2000 X"), allow = REFUSED, curl = EITHER, why = LENIENT },
  { name = "status -1", bytes = line("HTTP/1.1 -1 X"), allow = REFUSED },
  { name = "status 600", bytes = line("HTTP/1.1 600 X"), allow = got(600, BODY) },
  { name = "status 999", bytes = line("HTTP/1.1 999 X"), allow = got(999, BODY) },
  { name = "HTTP/1.2", bytes = line("HTTP/1.2 200 OK"), allow = REFUSED, curl = EITHER, why = LENIENT },
  { name = "HTTP/2 in the form of HTTP/1.1", bytes = line("HTTP/2 200 OK"), allow = REFUSED, curl = EITHER,
    why = LENIENT },
  { name = "http/1.1 in small letters", bytes = line("http/1.1 200 OK"), allow = REFUSED, curl = EITHER,
    why = LENIENT },
  { name = "HTTP/0.9", bytes = BODY, after = "close", allow = REFUSED },
  { name = "ICY", bytes = line("ICY 200 OK"), allow = REFUSED },
  { name = "an empty line first", bytes = "\r\n" .. sized(), allow = REFUSED, curl = EITHER, why = LENIENT },
  { name = "garbage first", bytes = ("\0\1\2\3"):rep(50) .. sized(), after = "close", allow = REFUSED },
  { name = "a phrase of any bytes", bytes = line("HTTP/1.1 200 \255\195(\t"), allow = { OK } },
}
