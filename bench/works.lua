--- The cases that are measured, by time, by growth, by the longest tick and as single figures, and their targets. Names
-- are those that the sides know.
--
-- targets: `over` is the side compared with, "parts" is the case parts_NAME of our own side (ours_parts.lua);
-- `at_least` wants its time / ours, `at_most` ours / its time; `us` wants our time in microseconds. A limit may differ
-- by our side: `{ lua =, luajit = }`. `of` is "wall", "cpu" or "thread" (the host's). `gate` is where `make
-- bench-smoke` fails, half (twice) the target unless given.

local ticks = require "tools.ticks"

local function both(over, at_least, gate)
  return { over = over, of = "wall", at_least = at_least },
    { over = over, of = "cpu", at_least = at_least, gate = gate }
end

local function targets(...)
  local list = {}
  for _, given in ipairs { ... } do
    if given.of then
      list[#list + 1] = given
    else
      for _, target in ipairs(given) do list[#list + 1] = target end
    end
  end
  return list
end

local rust = { both("rust", 1) }

local function parts(at_most, gate)
  return { over = "parts", of = "cpu", at_most = at_most, gate = gate }
end

local WEBHOOK = { lua = 1.5, luajit = 1.3 }

local time = {
  { name = "authorize_private", title = "authorize private channel",
    targets = targets({ both("go", 4) }, { both("node", 4) }, rust) },
  { name = "authorize_presence", title = "authorize presence channel",
    targets = targets({ both("go", 3, 1) }, { both("node", 3, 1) }, parts(1.6), rust) },
  { name = "authorize_encrypted", title = "authorize encrypted channel",
    targets = targets({ both("go", 4) }, { both("node", 4) }, rust) },
  { name = "webhook", title = "webhook of 1 event, checked and decoded",
    targets = targets(parts(WEBHOOK), { both("go", 1) }, rust) },
  { name = "webhook_10", title = "webhook of 10 events",
    targets = targets(parts(WEBHOOK), { both("go", 1) }, rust) },
  { name = "trigger", title = "trigger, one after another",
    targets = targets({ over = "bare", of = "wall", at_most = 1.05 }, { over = "bare", of = "cpu", at_most = 1 },
      { over = "go", of = "wall", at_least = 1 }, rust) },
  { name = "batch", title = "batch of 10 events, one after another", targets = targets({ both("go", 1) }, rust) },
  { name = "in_flight", title = "64 triggers in flight",
    targets = targets({ over = "bare", of = "wall", at_most = 0.8 }, { over = "bare", of = "cpu", at_most = 1.15 },
      { over = "go", of = "wall", at_least = 1 }, { over = "go", of = "cpu", at_least = 2 }, rust) },
  -- The others send each event by a call of its own, 64 in flight.
  { name = "publisher", title = "publisher, one event of 100 bytes",
    targets = targets({ of = "thread", us = { lua = 3.5, luajit = 2.5 } }, { both("go", 8) }, rust) },
  { name = "publisher_trigger", title = "publisher:trigger", targets = { { of = "cpu", us = 3 } } },
  { name = "publisher_idle_step", title = "publisher:step, nothing to do", targets = { { of = "cpu", us = 1 } } },
  { name = "idle_step_0", title = "idle step, nothing in flight", targets = { { of = "cpu", us = 1 } } },
  { name = "idle_step_1000", title = "idle step, 1000 idle connections", targets = { { of = "cpu", us = 1 } } },
  { name = "waiting_step", title = "step, one call waits for its response", targets = { { of = "cpu", us = 2 } } },
  { name = "build_request", title = "build_request", targets = { { of = "cpu", us = 3 } } },
  { name = "encrypted_1k", title = "encrypted trigger of 1 KiB, no network", targets = { parts(1.3) } },
  { name = "encrypted_9k", title = "encrypted trigger of 9 KiB, no network", targets = { parts(1.3) } },
  { name = "encrypted_batch", title = "encrypted batch of 10 × 1 KiB, no network", targets = { parts(1.3) } },
  { name = "table_9k", title = "9 KiB table, no network; the parts are 9 × 1 KiB", targets = { parts(1, 1.5) } },
  { name = "string_9k", title = "9 KiB string, no network; the parts are 9 × 1 KiB", targets = { parts(1, 1.5) } },
}

-- Triggers whose size grows: CASE_POINT of each side. `of` is what the plot shows; `factors`: the points grow by
-- factors.
local growth = {
  size = { title = "bytes of data", of = "cpu", points = { 100, 1000, 2500, 5000, 10000 } },
  channels = { title = "channels of a trigger", of = "cpu", points = { 1, 10, 25, 50, 100 } },
  flight = { title = "triggers in flight", of = "wall", points = { 1, 4, 16, 64, 128 }, factors = true },
  order = { "size", "channels", "flight" },
}

-- The longest trigger and the longest step of a game (ticks.lua), in CPU time of its thread.
local longest = { situations = ticks.situations, at_most_us = 250 }

-- Figures that a process of its own reports: bytes of resident memory (memory.lua), start.lua; the median of `runs`.
local single = {
  { name = "client", program = "memory", title = "a client without libcurl's own, bytes", at_most = 16384 },
  { name = "client_in_use", program = "memory", title = "a client with libcurl's own and a kept connection, bytes" },
  { name = "waiting_event", program = "memory", title = "an event of 44 bytes that waits in the publisher, bytes" },
  { name = "start_ms", program = "start", title = "`require` and `new`, milliseconds", at_most = 3, runs = 9,
    gated = false },
  { name = "start_curl_ms", program = "start", title = "the same with `transport = \"curl\"`", runs = 9 },
  { name = "start_kb", program = "start", title = "`require` and `new`, KiB of Lua", at_most = 400 },
  { name = "start_curl_kb", program = "start", title = "the same with `transport = \"curl\"`" },
  { name = "string_copies", program = "start", title = "copies of a string of data in a trigger", at_most = 2 },
}

return { time = time, growth = growth, longest = longest, single = single }
