--- An HTTP proxy for tests: plain forwarding and CONNECT, with Basic authentication when it is given credentials, and
-- counts of what it did.

local condition = require "cqueues.condition"
local cs = require "cqueues.socket"
local basexx = require "basexx"

local proxy = {}

-- How long any side may be silent, and how long connecting may take, in seconds.
local SILENCE, CONNECT = 600, 5

local function quiet(_, _, code)
  return code
end

local function read_head(client)
  local first = client:xread("*L", SILENCE)
  if not first then
    return nil
  end
  local headers = {}
  local line = client:xread("*L", SILENCE)
  while line and line ~= "\r\n" do
    headers[#headers + 1] = line
    line = client:xread("*L", SILENCE)
  end
  return first, headers
end

local function find_header(headers, wanted)
  for _, line in ipairs(headers) do
    local name, value = line:match("^([^:]+):%s*(.-)%s*$")
    if name and name:lower() == wanted then
      return value
    end
  end
end

local function refuse(client, status, extra)
  client:xwrite("HTTP/1.1 " .. status .. "\r\n" .. (extra or "") .. "Content-Length: 0\r\nConnection: close\r\n\r\n", "bn")
end

local function copy(from, to)
  repeat
    local bytes = from:xread(-16384, "b", SILENCE)
    local ok = bytes and to:xwrite(bytes, "bn", SILENCE)
  until not ok
  to:shutdown("w")
end

local function connect(host, port)
  local socket = cs.connect { host = host, port = tonumber(port), nodelay = true }
  socket:onerror(quiet)
  socket:setmode("b", "bn")
  if socket:connect(CONNECT) == socket then
    return socket
  end
  socket:close()
end

local function relay(cq, client, upstream)
  local sent, done = condition.new(), false
  cq:wrap(function()
    copy(client, upstream)
    done = true
    sent:signal()
  end)
  copy(upstream, client)
  client:shutdown("r") -- ends the other copy
  while not done do
    sent:wait()
  end
  upstream:close()
end

local function tunnel(self, client, target)
  local host, port = target:match("^%[?([^%]]+)%]?:(%d+)$")
  local upstream = host and connect(host, port)
  if not upstream then
    return refuse(client, "502 Bad Gateway")
  end
  self.counts.tunnels = self.counts.tunnels + 1
  client:xwrite("HTTP/1.1 200 Connection established\r\n\r\n", "bn")
  relay(self.cq, client, upstream)
end

-- One request per connection: the server is asked to close after its response.
local function forward(self, client, method, target, headers)
  local authority, path = target:match("^http://([^/]+)(/.*)$")
  local host, port = (authority or ""):match("^%[?(.-)%]?:(%d+)$")
  local upstream = authority and connect(host or authority, port or 80)
  if not upstream then
    return refuse(client, authority and "502 Bad Gateway" or "400 Bad Request")
  end
  self.counts.forwarded = self.counts.forwarded + 1
  upstream:xwrite(("%s %s HTTP/1.1\r\nVia: 1.1 local-proxy\r\nConnection: close\r\n"):format(method, path), "bf")
  for _, line in ipairs(headers) do
    if not line:lower():find("^proxy%-") and not line:lower():find("^connection:") then
      upstream:xwrite(line, "bf")
    end
  end
  upstream:xwrite("\r\n", "bn")
  relay(self.cq, client, upstream)
end

local function serve(self, client)
  local first, headers = read_head(client)
  local method, target = (first or ""):match("^(%u+) (%S+) HTTP/1%.[01]\r\n$")
  if not method then
    refuse(client, "400 Bad Request")
  elseif self.expected and find_header(headers, "proxy-authorization") ~= self.expected then
    self.counts.refused = self.counts.refused + 1
    refuse(client, "407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="local"\r\n')
  elseif method == "CONNECT" then
    tunnel(self, client, target)
  else
    forward(self, client, method, target, headers)
  end
end

--- Opens a proxy on 127.0.0.1, port 0.
-- @param cq the cqueues controller
-- @tparam[opt] string credentials "user:password" that it demands
-- @treturn table `{ port =, counts = { accepted =, forwarded =, tunnels =, refused = } }`
function proxy.open(cq, credentials)
  local self = {
    cq = cq,
    expected = credentials and "Basic " .. basexx.to_base64(credentials),
    counts = { accepted = 0, forwarded = 0, tunnels = 0, refused = 0 },
  }
  local listening = cs.listen { host = "127.0.0.1", port = 0 }
  assert(listening:listen())
  self.port = select(3, listening:localname())
  cq:wrap(function()
    for client in listening:clients() do
      self.counts.accepted = self.counts.accepted + 1
      client:onerror(quiet)
      client:setmode("b", "bn")
      cq:wrap(function()
        serve(self, client)
        client:shutdown()
        client:close()
      end)
    end
  end)
  return self
end

--- Opens a port that accepts connections and never responds.
-- @treturn number the port
function proxy.silent_port(cq)
  local listening = cs.listen { host = "127.0.0.1", port = 0 }
  assert(listening:listen())
  local kept = {}
  cq:wrap(function()
    for client in listening:clients() do
      kept[#kept + 1] = client
    end
  end)
  return (select(3, listening:localname()))
end

return proxy
