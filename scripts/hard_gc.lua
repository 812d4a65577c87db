--- busted helper: makes the garbage collector run all the time, so that objects that C uses without owning them are
-- collected by the next call. The modes take turns, since each finds different errors.
--
-- Tests that use much memory become up to sixty times slower, so after a second of a test the collector returns to its
-- normal pace.

local busted = require("busted")

local HARD_SECONDS = 1
local CHECK_EVERY = 100000 -- instructions of the virtual machine

local turn, deadline = 0, 0

local function calm_down()
  if os.clock() < deadline then
    return
  end
  debug.sethook()
  if _VERSION == "Lua 5.4" then
    collectgarbage("incremental")
  end
  collectgarbage("setpause", 200)
  collectgarbage("setstepmul", 200)
end

local function harden()
  turn = turn + 1
  collectgarbage()
  deadline = os.clock() + HARD_SECONDS
  debug.sethook(calm_down, "", CHECK_EVERY)
  if _VERSION == "Lua 5.4" and turn % 2 == 0 then
    collectgarbage("generational", 1, 10)
    return nil, true
  elseif _VERSION == "Lua 5.4" then
    collectgarbage("incremental")
  end
  collectgarbage("setpause", 0)
  collectgarbage("setstepmul", 400)
  return nil, true
end

busted.subscribe({ "test", "start" }, harden)
