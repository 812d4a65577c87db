-- A program that ends with calls in flight. Arguments: how ("exit", "close": the state, too, "child": a forked child
-- does, "return"), milliseconds until then, and those of start_calls.lua.

local calls = require "spec.helpers.calls"
local process = require "pusher_test.process"
local start_calls = require "spec.system.async.start_calls"

local how, milliseconds = ...

local transport = start_calls(select(3, ...))
process.poll(-1, milliseconds / 1000)
if how == "child" then
  for _, close in ipairs { false, true } do
    local status = process.run(function() os.exit(true, close) end, calls.CHILD)
    assert(status == 0, status)
  end
  transport:close()
elseif how ~= "return" then
  os.exit(true, how == "close")
end
