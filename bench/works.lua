--- The cases that are measured, by time, by the longest tick and by memory, and their targets. Names are those that the
-- sides know.
--
-- targets: `over` is the side compared with; `at_least` wants its time / ours, `at_most` ours / its time;
-- `us` wants our time in microseconds. `of` is "wall" or "cpu"; `gate` is where `make bench-smoke` fails, half (twice)
-- the target unless given. `ask` is the name of the case at a side that has another one.

local ticks = require "tools.ticks"

local function both(over, at_least, gate)
  return { over = over, of = "wall", at_least = at_least },
    { over = over, of = "cpu", at_least = at_least, gate = gate }
end

local function targets(...)
  local list = {}
  for _, pair in ipairs { ... } do
    for _, target in ipairs(pair) do list[#list + 1] = target end
  end
  return list
end

local time = {
  { name = "authorize_private", title = "authorize private channel",
    targets = targets({ both("go", 4) }, { both("node", 4) }) },
  { name = "authorize_presence", title = "authorize presence channel",
    -- On Lua 5.4 encoding the member and quoting the result take half of the time.
    targets = targets({ both("go", 3, 1) }, { both("node", 3, 1) }) },
  { name = "authorize_encrypted", title = "authorize encrypted channel",
    targets = targets({ both("go", 4) }, { both("node", 4) }) },
  { name = "webhook", title = "webhook check and decode",
    -- On Lua 5.4 lua-cjson takes three quarters of the time; it makes the tables.
    targets = targets({ both("go", 3, 0.7) }) },
  { name = "trigger", title = "trigger, one after another",
    targets = {
      { over = "bare", of = "wall", at_most = 1.1 }, { over = "bare", of = "cpu", at_most = 1.25 },
      { over = "go", of = "wall", at_least = 1 },
    } },
  { name = "in_flight", title = "64 triggers in flight",
    targets = {
      { over = "bare", of = "wall", at_most = 0.8 }, { over = "bare", of = "cpu", at_most = 1.15 },
      { over = "go", of = "wall", at_least = 1 }, { over = "go", of = "cpu", at_least = 2 },
    } },
  { name = "publisher", title = "publisher, one event", ask = { go = "in_flight", node = "in_flight" },
    targets = { { over = "go", of = "wall", at_least = 6 }, { over = "go", of = "cpu", at_least = 6 } } },
  { name = "publisher_trigger", title = "publisher:trigger",
    targets = { { of = "cpu", us = 3 } } },
  { name = "publisher_idle_step", title = "publisher:step, nothing to do", targets = { { of = "cpu", us = 1 } } },
  { name = "idle_step_0", title = "idle step, nothing in flight", targets = { { of = "cpu", us = 1 } } },
  { name = "idle_step_1000", title = "idle step, 1000 idle connections", targets = { { of = "cpu", us = 1 } } },
  { name = "waiting_step", title = "step, one call waits for its response", targets = { { of = "cpu", us = 2 } } },
}

-- The longest trigger and the longest step of a game (ticks.lua), in CPU time of its thread.
local longest = { situations = ticks.situations, at_most_us = 250 }

-- Bytes of resident memory (memory.lua), and their limits.
local memory = {
  { name = "client", title = "a client, beside libcurl's own", at_most = 16384 },
  { name = "client_in_use", title = "a client with libcurl's own and a kept connection" },
  { name = "waiting_event", title = "an event of 44 bytes that waits in the publisher" },
}

return { time = time, longest = longest, memory = memory }
