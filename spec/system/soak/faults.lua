--- The faults of the server in a round of the soak: most requests are served, the others end in each way there is.

local faults = {}

local PROBABILITY = 0.15

-- What HTTP/2 can do, too.
local RESPONSES = {
  { mode = "delay", ms = 10 }, { mode = "hang" }, { mode = "redirect" },
  { mode = "status", status = 500 }, { mode = "status", status = 503 }, { mode = "status", status = 503, retry_after = 0 },
  { mode = "status", status = 429, retry_after = 0 }, { mode = "status", status = 401 },
  { mode = "answer", status = 200, body = '{"channels":' }, { mode = "answer", status = 200, body = ("\255"):rep(400) },
}

local CONNECTIONS = {
  "reset", "drop", "lose_answer", { mode = "lose_answer", reset = true }, "cut", { mode = "cut", at = "head" },
  { mode = "cut", reset = true }, { mode = "hang", processed = true }, { mode = "trickle", ms = 1, bytes = 40 },
  { mode = "trickle", part = "body", stop = 1 }, "stale", { mode = "stale", when = "reuse" },
  { mode = "stale", when = "reuse", reset = true }, "surplus", { mode = "garbage", form = "bytes" },
  { mode = "garbage", form = "header" }, { mode = "garbage", form = "chunk" }, { mode = "garbage", form = "length" },
  "oversize", { mode = "oversize", form = "close" }, "chunked", "close_delimited", "interim", "header_flood",
}

local function joined(...)
  local list = {}
  for _, part in ipairs { ... } do
    for _, fault in ipairs(part) do
      list[#list + 1] = fault
    end
  end
  return list
end

local PAUSES = { { mode = "status", status = 429 }, { mode = "status", status = 503, retry_after = 1 } }
local ROUNDS_BETWEEN_PAUSES = 4 -- all publishers wait for a second

--- Arms the faults of a round.
-- @tparam table server the local Channels server
-- @tparam number round from 1, the seed
function faults.arm(server, round)
  local pause = round % ROUNDS_BETWEEN_PAUSES == 1 and PAUSES[math.random(#PAUSES)]
  if pause then
    server:misbehave { mode = pause.mode, status = pause.status, retry_after = pause.retry_after,
      path = ("/apps/%s/batch_events"):format(server.app_id), skip = 20, times = 1 }
  end
  server:misbehave { listener = "h2", path = "/apps/", modes = RESPONSES, probability = PROBABILITY, seed = round }
  for _, listener in ipairs { "http", "tls" } do
    server:misbehave { listener = listener, path = "/apps/", modes = joined(RESPONSES, CONNECTIONS),
      probability = PROBABILITY, seed = round }
  end
end

return faults
