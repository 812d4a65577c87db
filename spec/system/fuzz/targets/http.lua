-- HTTP: the reader of responses that nginx uses, header lines, dates.

local form = require "spec.helpers.wire_cases.form"
local http = require "pusher.base.http"
local oracle = require "spec.system.fuzz.oracle"
local response = require "pusher.transport.ngx.response"
local wire_cases = require "spec.helpers.wire_cases"

local NOW = 1700000000
local METHODS = { "POST", "POST", "GET", "HEAD", "CONNECT" }
local MAX_SEED = 2000

local texts = {
  "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\nConnection: keep-alive, Close\r\nX: a\r\n b\r\n\r\nabcEXTRA",
}
for _, case in ipairs(wire_cases) do
  local bytes = case.bytes or table.concat(case.pieces)
  texts[#texts + 1] = #bytes <= MAX_SEED and bytes or nil
end

local function show(parser)
  return ("%d %q %q"):format(parser.status, parser.headers, parser.body)
end

-- Feeds the bytes in pieces; returns the outcome as a text.
local function read(bytes, method, max, next_size)
  local parser, at = response.new(method, max), 1
  local done, message, code = false, nil, nil
  while done == false and at <= #bytes do
    local size = next_size()
    done, message, code = parser:feed(bytes:sub(at, at + size - 1))
    at = at + size
  end
  if done == false then
    done, message, code = parser:close()
  end
  if done then
    assert(parser.status >= 100 and parser.status < 1000 and #parser.body <= max, "the response")
    assert(type(parser.persistent) == "boolean" and not (parser.persistent and parser.surplus), "persistent")
    return show(parser)
  end
  assert(type(message) == "string" and (code == "network" or code == "too_large"), "the failure")
  return code .. " " .. message
end

local function run_reader(bytes)
  local method, max = METHODS[math.random(#METHODS)], math.random(2) == 1 and 64 or 100000
  local whole = read(bytes, method, max, function() return #bytes end)
  local pieces = read(bytes, method, max, function() return math.random(9) end)
  assert(whole == pieces, ("in pieces: %s\nat once: %s"):format(pieces, whole))
  if #bytes < 1000 then
    local single = read(bytes, method, max, function() return 1 end)
    assert(whole == single, ("byte by byte: %s\nat once: %s"):format(single, whole))
  end
end

local function check_line(text)
  assert(#text <= 203 and not text:find("[%c\127]"), "one_line")
end

local function run_headers(text)
  check_line(http.one_line(text))
  local value = http.header(text, "retry-after")
  assert(value == nil or not value:find("^%s") and not value:find("%s$"), "spaces around the value")
  local seconds = http.retry_after(text, NOW)
  assert(seconds == nil or (seconds >= 0 and seconds <= http.MAX_RETRY_AFTER and seconds % 1 == 0), "retry_after")
  local parse = http.check_encoding(function(status) return { status = status } end)
  oracle.result(parse(math.random(100, 599), math.random(2) == 1 and "" or "body", text))
  local found = http.request_header({ ["Webhook-Signature"] = text }, "webhook-signature", "Webhook-Signature")
  assert(text == "" or found == text, "request_header")
end

local function run_date(text)
  local seconds = http.date(text)
  assert(seconds == nil or seconds == math.floor(seconds), "date")
  local time = math.random(0, 2147483647)
  assert(http.date(os.date("!%a, %d %b %Y %H:%M:%S GMT", time)) == time, "a date is read as another one")
  local wait = http.clamp_wait(text)
  assert(wait == nil or (wait >= 0 and wait <= http.MAX_RETRY_AFTER), "wait")
end

return {
  reader = { texts = texts, run = run_reader },
  headers = {
    texts = {
      "Retry-After: 5\r\n", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 2033 08:49:37 GMT\r\n",
      "content-encoding: gzip, identity\r\nX: y\r\n", "Retry-After:   \t 10  \r\nRetry-After: 3\r\n", ": y\r\nX\r\n", "",
      form.sized("Retry-After: 99999999999999999999\n"),
    },
    run = run_headers,
  },
  date = { texts = { "Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 29 Feb 2024 23:59:60 GMT", "1.5", "0x10", "inf" }, run = run_date },
}
