--- What a server does on an idle connection: nothing of it may become the response to a later request.

local form = require "spec.helpers.wire_cases.form"

local OK, REFUSED = form.OK, form.REFUSED
local response, sized = form.response, form.sized

-- What haproxy says to a client that was silent for too long.
local TIMEOUT = response("HTTP/1.0 408 Request Time-out\nCache-Control: no-cache\nConnection: close\n"
  .. "Content-Type: text/html\n", "<html><body><h1>408 Request Time-out</h1></body></html>\n")

-- What comes after the response, while the connection is idle.
local function late(name, bytes, ending)
  return { name = "idle: " .. name, bytes = sized(), after = "late", late = bytes, ending = ending, kept = false }
end

-- What the second request gets instead of a response.
local function reuse(name, bytes, ending, members)
  local case = { name = "next request: " .. name, bytes = sized(), after = "reuse", late = bytes, ending = ending }
  for member, value in pairs(members) do
    case[member] = value
  end
  return case
end

return {
  late("a second response", form.FORGED),
  late("a second response, then the end", form.FORGED, "close"),
  late("the same response once more", sized()),
  late("half a second response", "HTTP/1.1 200 OK\r\nX-Half: "),
  late("an empty line", "\r\n"),
  late("an interim response", response("HTTP/1.1 103 Early Hints\nLink: x\n")),
  late("bytes that are not HTTP", ("\0\255"):rep(1000)),
  late("64 KB", ("x"):rep(65536)),
  late("408, then the end", TIMEOUT, "close"),
  late("408 that stays open", TIMEOUT),
  late("the end", "", "close"),
  late("an end without close_notify", "", "cut"),
  late("RST", "", "reset"),
  late("the end of the server's direction", "", "half"),

  -- RFC 9110 15.5.9: the client may send its request again.
  reuse("408, then the end", TIMEOUT, "close", {
    again = { OK, { status = 408, body = TIMEOUT:match("\r\n\r\n(.*)") }, "network" } }),
  reuse("the end", "", "close", { again = { OK } }),
  reuse("the end, the request is marked once", "", "close", {
    request = { once = true }, again = { "network" }, arrivals = 2 }),
  reuse("an end without close_notify", "", "cut", { again = { OK } }),
  reuse("RST", "", "reset", { again = { OK } }),
  reuse("half a head, then the end", "HTTP/1.1 200 OK\r\nContent-Le", "close", { again = REFUSED, arrivals = 2 }),
}
