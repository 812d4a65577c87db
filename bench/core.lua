--- The cost of each call of pusher.core, compared with the same work in a bare C loop (bare_hmac.c).
-- bench/core.lua [BARE [ROUNDS [MS]]]; `make bench-core` runs it on Lua 5.4 and LuaJIT.

local core = require "pusher.core"

local sample = require "bench.sample"

local bare = arg[1] or "build/bench/bare_hmac"
local rounds = tonumber(arg[2]) or 5
local ms = tonumber(arg[3]) or 100

local mac = core.mac("7ad3773142a6692b25b8")
local text = "1234.1234:private-foobar"
local signature = mac:hex(text)
local body = ("x"):rep(300)
local box, key, nonce = sample.box(body)
local encoded = core.base64_encode(body)

-- Each runs n times, with the call written out: a call through a variable would be measured as well.
local cases = {
  { "nothing", function(n) for _ = 1, n do core.forks() end end },
  { "mac_hex", function(n) for _ = 1, n do mac:hex(text) end end },
  { "mac_verify", function(n) for _ = 1, n do mac:verify(signature, text) end end },
  { "md5_hex", function(n) for _ = 1, n do core.md5_hex(body) end end },
  { "channel_key", function(n) for _ = 1, n do core.channel_key(text, key) end end },
  { "seal_event", function(n) for _ = 1, n do core.seal_event(body, text, key, nonce, "", "") end end },
  { "open", function(n) for _ = 1, n do core.open(box, key, nonce) end end },
  { "base64_encode", function(n) for _ = 1, n do core.base64_encode(body) end end },
  { "base64_decode", function(n) for _ = 1, n do core.base64_decode(encoded) end end },
  { "utf8_valid", function(n) for _ = 1, n do core.utf8_valid(body) end end },
  { "random", function(n) for _ = 1, n do core.random(24) end end },
}

local function measure(run)
  local start, spent, calls = os.clock(), 0, 0
  while spent < ms / 1000 do
    run(1000)
    calls = calls + 1000
    spent = os.clock() - start
  end
  return spent / calls * 1e9
end

local function measure_bare(name)
  local pipe = assert(io.popen(("%s %s %d 2>/dev/null"):format(bare, name, ms)))
  local nanoseconds = tonumber(pipe:read("*l") or nil)
  pipe:close()
  return nanoseconds
end

local function median(list)
  table.sort(list)
  return list[math.floor((#list + 1) / 2)]
end

print(("%-14s %10s %10s %8s   (CPU ns per call, %s)"):format("case", "Lua", "bare C", "ratio",
  rawget(_G, "jit") and jit.version or _VERSION))
for _, case in ipairs(cases) do
  local ours, theirs = {}, {}
  for round = 1, rounds do -- in turns, so that noise of the machine affects both
    ours[round] = measure(case[2])
    theirs[round] = measure_bare(case[1])
  end
  local lua, c = median(ours), median(theirs)
  print(("%-14s %10.1f %10s %8s"):format(case[1], lua, c and ("%.1f"):format(c) or "",
    c and ("%.2f"):format(lua / c) or ""))
end
for _, name in ipairs { "mac_evp", "mac_oneshot" } do
  print(("%-14s %10s %10s"):format(name, "", tostring(measure_bare(name))))
end
