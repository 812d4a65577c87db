--- busted helper: makes the garbage collector run all the time, so that what C uses without owning it
-- is gone by the next call. The modes take turns, since each finds different mistakes.

local busted = require("busted")
local turn = 0

local function next_mode()
  turn = turn + 1
  collectgarbage()
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

busted.subscribe({ "test", "start" }, next_mode)
