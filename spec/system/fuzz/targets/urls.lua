-- URLs, hosts, addresses, lists of hosts, and the bytes that a request becomes.

local addresses = require "pusher.base.addresses"
local endpoint = require "pusher.base.endpoint"
local mutate = require "spec.system.fuzz.mutate"
local no_proxy = require "pusher.base.no_proxy"
local oracle = require "spec.system.fuzz.oracle"
local pusher = require "pusher"
local url = require "pusher.base.url"
local wire = require "pusher.transport.ngx.wire"

local SECRET = "s3cr3tW0rd"
local TRANSPORT = { send = function() return nil end }

-- A client whose requests cannot be sent is of no use.
local function check_client(client)
  local request = oracle.result(client:build_request("POST", "/events", { a = "b" }, "{}"))
  assert(request.target:find("^/[!-~]*$") and not url.has_step(request.target:match("^[^?]*")), "the target " .. request.target)
  assert(wire.request(request, { authority = "x" }, true), "the request cannot be sent")
end

local function run_from_url(text)
  local client, message, details = pusher.from_url(text, { transport = TRANSPORT })
  if oracle.result_or("config", client, message, details) then
    check_client(client)
    client:close()
  else
    local _, times = text:gsub(SECRET, "")
    local in_place = times == 1 and text:find(":" .. SECRET .. "@", 1, true)
    assert(not (in_place and message:find(SECRET, 1, true)), "the message shows the secret")
  end
end

local function run_escape(text)
  local escaped = url.escape(text)
  assert(not escaped:find("[^A-Za-z0-9%-._~%%]") and url.unescape(escaped) == text, "escape")
  assert(url.has_step(text) or not url.has_step(escaped), "escaping makes a step")
  local host, port = url.split_host(text)
  if host then
    local again, other = url.split_host(url.authority("http", host, port or 80))
    assert(again == host and (other or 80) == (port or 80), "another host")
  end
  local at = oracle.result_or("config", endpoint.parse(text, "x"))
  if at then
    local request = endpoint.request(at, "GET", "/a", {}, nil, 1)
    assert(not url.has_step(request.target) and wire.request(request, { authority = "x" }, true), "the endpoint")
  end
end

local HOSTS = { "example.com", "EXAMPLE.com.", "a.example.com", "10.0.0.1", "::1", "fd00::1", "1.2.3.400" }

local function run_no_proxy(text)
  local is_direct = oracle.result_or("config", no_proxy.new { proxy = "http://p:1", no_proxy = text })
  for _, host in ipairs(is_direct and HOSTS or {}) do
    local first = is_direct(host, 80)
    assert(type(first) == "boolean", "no boolean")
    is_direct(mutate.short(HOSTS), 443)
    assert(is_direct(host, 80) == first, "another decision")
  end
end

local function run_address(text)
  local bytes, bits = addresses.read(text)
  assert(bytes == nil or (#bytes == 16 and (bits == 0 or bits == 96)), "the bytes")
  if bits == 96 then
    assert(("%d.%d.%d.%d"):format(bytes:byte(13, 16)) == text, "another address")
  elseif bytes then
    local full = (("%02x%02x:"):rep(8)):format(bytes:byte(1, 16)):sub(1, -2)
    assert(addresses.read(full) == bytes, "another address: " .. full)
  end
  assert(url.is_address(text) or addresses.ipv4(text) == nil, "is_address")
end

-- A request whose parts anybody may have filled in: what is sent has the lines that were meant and no others.
local function run_wire(text)
  local request = { method = "POST", host = "h", target = "/", headers = { { "A", "b" } }, body = "{}" }
  local place = math.random(4)
  if place == 1 then
    request.target = text
  elseif place == 2 then
    request.headers[1][2] = text
  elseif place == 3 then
    request.headers[1][1] = text
  else
    request.method = text
  end
  local bytes = oracle.result_or("invalid", wire.request(request, { authority = "h" }, true))
  if bytes then
    local _, lines = bytes:gsub("\r\n", "")
    local _, feeds = bytes:gsub("[\r\n]", "")
    assert(lines == 5 and feeds == 10, "other lines")
    assert(bytes:find("^%u+ /%S* HTTP/1%.1\r\n"), "the first line")
  end
end

return {
  from_url = {
    texts = {
      "https://key:" .. SECRET .. "@api-eu.pusher.com/apps/3", "http://k%20:" .. SECRET .. "@[::1]:8080/prefix/apps/app-id/",
      "http://key:" .. SECRET .. "@127.0.0.1:80/a/b%2e/apps/3",
    },
    run = run_from_url,
  },
  escape = {
    texts = {
      "http://[::1]:8080/base/", "https://fcm.googleapis.com", "example.com:8080", "a/../b", "%2e%2e/x", "%252e", "a\\..\\b;c", "",
    },
    run = run_escape,
  },
  no_proxy = {
    texts = { "example.com, .b.org *.c.net:80", "10.0.0.0/8,fd00::/8,[::1]:443", "*", "::ffff:1.2.3.4/120 localhost." },
    run = run_no_proxy,
  },
  address = {
    texts = { "127.0.0.1", "::1", "fd00:1:2::3", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "1::", "0.0.0.0", "01.2.3.4" },
    run = run_address,
  },
  wire = { texts = { "/a?b=c", "text/plain", "X-Y", "PUT", "/\r\nX: y", "a\tb" }, run = run_wire },
}
