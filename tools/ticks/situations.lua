--- What servers do while a game plays, as data.
--
-- A situation is `{ name =, title =, port =, … }`: `port` names a port of the local server, `tls` adds the system's
-- authorities, `fault` is armed on the server, `code` is the one that the calls fail with (nil: they succeed),
-- `timeout` is the client's, `accepted` = function(ticks) gives the minimum and maximum of connections to the port,
-- which show that the situation occurred, and `run` = function(game) is called instead of `game:play`.

local game = require "tools.ticks.game"

local NAMES, RESPONSES, RESPONSES_A_TICK = 1000, 10000, 100

-- All names at once, as after a name server has failed. One request with many hosts, since a client has only one.
local function look_up_names(self)
  local client = self:client()
  local request = assert(client:build_request("POST", "/events", nil, { name = "moved", channels = { "world" }, data = "" }))
  for number = 1, NAMES do
    request.host = ("host-%d.slow.invalid"):format(number)
    self:start_call("trigger", self.transport.send, self.transport, request, print)
  end
  self:drain()
  client:close()
end

-- No step before the server has sent all responses.
local function collect_responses(self)
  local client = self:client()
  for _ = 1, RESPONSES / RESPONSES_A_TICK do
    game.end_tick()
    self:trigger(client, "first trigger") -- not judged: the collector has emptied the processor's caches
    for _ = 2, RESPONSES_A_TICK do
      self:trigger(client)
    end
  end
  local seen = self.server:wait { responses = RESPONSES, timeout = game.DRAIN_SECONDS }
  assert(seen.reached, "the requests were not sent before the first step")
  self:drain()
  client:close()
end

return {
  { name = "tls", title = "first connection over TLS", port = "tls_port", tls = true,
    accepted = function() return 1, math.huge end },
  { name = "tls_again", title = "TLS, server closes each connection", port = "tls_port", tls = true,
    fault = { mode = "stale", path = "/apps/" }, accepted = function(count) return count / 2, math.huge end },
  { name = "http2", title = "HTTP/2", port = "h2_port", tls = true, accepted = function() return 1, 1 end },
  { name = "hung", title = "server hangs", port = "silent_port", code = "timeout", timeout = 0.3 },
  { name = "refused", title = "server refuses", port = "refusing_port", code = "network" },
  { name = "black_hole", title = "connecting never ends", port = "black_hole_port", code = "timeout", timeout = 0.3 },
  { name = "names", title = "1,000 names that nobody resolves", port = "port", code = "timeout", timeout = 0.3,
    run = look_up_names },
  { name = "responses", title = "10,000 responses at once", port = "port", timeout = 60, run = collect_responses },
}
