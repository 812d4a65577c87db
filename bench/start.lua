--- What a program pays before its first call: `require "pusher"` and `new`, in a process of its own, which run.lua
-- starts: bench/start.lua NAME -> one number.

local null_transport = require "bench.null_transport"
local probe = require "bench.probe"

local function start(transport)
  return assert(require("pusher").new { app_id = "1", key = "key", secret = "secret", cluster = "eu",
    transport = transport })
end

local cases = {}

local function milliseconds(transport)
  local before = probe.wall_ns()
  local client = start(transport)
  return (probe.wall_ns() - before) / 1e6, client
end

local function kilobytes(transport)
  collectgarbage()
  collectgarbage()
  local before = collectgarbage("count")
  local client = start(transport)
  collectgarbage()
  collectgarbage()
  return collectgarbage("count") - before, client
end

--- Milliseconds of wall time, and KiB of Lua's own memory, with what is garbage by then collected. The transport "curl"
-- loads all at the start; the default loads the rest with the first call.
function cases.start_ms() return milliseconds() end
function cases.start_curl_ms() return milliseconds("curl") end
function cases.start_kb() return kilobytes() end
function cases.start_curl_kb() return kilobytes("curl") end

--- How often a trigger copies its string of data, by what Lua allocates for 9 KiB and for 1.
function cases.string_copies()
  local client = assert(require("pusher").new { app_id = "1", key = "key", secret = "secret",
    transport = null_transport })
  local function allocated(bytes)
    -- Strings of their own: LuaJIT keeps one copy of equal ones.
    local data = {}
    for i = 0, 10 do
      data[i] = ("x"):rep(bytes - 2) .. ("%02d"):format(i)
    end
    assert(client:trigger("lobby", "said", data[0]))
    collectgarbage()
    collectgarbage("stop")
    local before = collectgarbage("count")
    for i = 1, 10 do
      assert(client:trigger("lobby", "said", data[i]))
    end
    local after = collectgarbage("count")
    collectgarbage("restart")
    return (after - before) / 10
  end
  return (allocated(9 * 1024) - allocated(1024)) / 8
end

print(("%.3f"):format((assert(cases[arg[1]], "unknown case")())))
