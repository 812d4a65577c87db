-- A finalizer may run wherever C allocates in Lua, and may use or close the very handle that C is working for.

local cjson = require "cjson"
local curl = require "pusher.curl"
local local_server = require "tools.local_server"
local options = require "pusher.base.options"

local ROUNDS = 4
local BODIES = { outer = ("O"):rep(60000), inner = "I" }

-- Sets the collector's pace with what this Lua has: parameters (5.5), or arguments of the mode (5.4) or of options of
-- their own. Lua 5.2 has the mode, too, and ignores the arguments.
local function set_pace(pause, multiplier, mode)
  if pcall(collectgarbage, "param", "pause", pause) then
    collectgarbage("param", "stepmul", multiplier)
    collectgarbage("param", "stepsize", mode.step_bytes)
    return
  end
  collectgarbage("setpause", pause)
  collectgarbage("setstepmul", multiplier)
  pcall(collectgarbage, "incremental", pause, mode.multiplier, mode.step_log2)
end

-- With these numbers one allocation runs a whole collection.
local function collect_eagerly()
  set_pace(100, 1000000, { multiplier = 1000, step_log2 = 30, step_bytes = 2 ^ 30 })
end

local function collect_by_default()
  collectgarbage("restart")
  set_pace(200, 200, { multiplier = 100, step_log2 = 13, step_bytes = 2 ^ 13 })
end

-- Makes garbage whose finalizer calls f.
local function leave(f)
  local newproxy = rawget(_G, "newproxy") -- Lua 5.1 and LuaJIT
  if newproxy then
    getmetatable(newproxy(true)).__gc = f
  else
    setmetatable({}, { __gc = f })
  end
end

-- Calls f while a collection is due, in which `finalizer` runs once. Returns whether it ran inside, and pcall's results.
local function call_amid(finalizer, f, ...)
  local inside, ran = true, false
  collectgarbage()
  collectgarbage("stop")
  leave(function()
    if inside then
      ran = true
      finalizer()
    end
  end)
  collectgarbage("restart") -- the next allocation collects
  local results = { pcall(f, ...) }
  inside = false
  return ran, results
end

for _, kind in ipairs { "easy", "async" } do
  describe("pusher.curl." .. kind .. " with a finalizer inside", function()
    local server

    setup(function()
      server = local_server.start()
    end)

    teardown(function()
      server:stop()
    end)

    before_each(collect_eagerly)
    after_each(collect_by_default)

    local function open()
      return assert(curl[kind](options.transport {}))
    end

    local function request(tag)
      return { method = "POST", scheme = "http", host = server.host, port = server.port, timeout = 60, once = false,
        target = "/_misbehave/none?" .. tag, headers = { { "X-Tag", tag } }, body = BODIES[tag] }
    end

    local function send(handle, tag)
      return handle[kind == "easy" and "perform" or "add"](handle, request(tag))
    end

    local function check(tag, status, body)
      local echo = cjson.decode(body)
      assert.equal(200, status)
      assert.equal("/_misbehave/none?" .. tag, echo.target)
      assert.equal(BODIES[tag], echo.body)
    end

    local function check_all(handle, tags)
      for _ = 1, 2 * ROUNDS do
        local id, status, body
        repeat
          handle:wait(10)
          id, status, body = handle:done()
        until id or not next(tags)
        if id then
          check(tags[id], status, body)
          tags[id] = nil
        end
      end
      assert.is_nil(next(tags))
    end

    it("that sends over the same handle, sends both requests whole", function()
      local handle, tags, hits = open(), {}, 0
      local function sent(tag, id, body)
        if kind == "easy" then
          check(tag, id, body)
        else
          tags[id] = tag
        end
      end
      for _ = 1, ROUNDS do
        local inner
        local ran, results = call_amid(function()
          inner = { send(handle, "inner") }
        end, send, handle, "outer")
        assert.is_true(results[1], results[2])
        sent("outer", results[2], results[3])
        if ran then
          hits = hits + 1
          sent("inner", inner[1], inner[2])
        end
      end
      assert.is_true(hits > 0)
      if kind == "async" then
        check_all(handle, tags)
      end
      handle:close()
    end)

    it("that closes the handle, gets a refusal or a result", function()
      local hits = 0
      for _ = 1, ROUNDS do
        local handle = open()
        local ran, results = call_amid(function() handle:close() end, send, handle, "outer")
        hits = hits + (ran and 1 or 0)
        assert.is_true(results[1], results[2])
        if not results[2] then
          assert.equal("closed", results[4])
          assert.is_false(results[5])
        end
        handle:close()
      end
      assert.is_true(hits > 0)
    end)

    it("that closes the transport, ends each call, and none raises", function()
      local hits = 0
      for _, name in ipairs { "send", "step", "pollfd" } do
        local transport = require("pusher.transport." .. (kind == "easy" and "curl" or kind)).new()
        local f = transport[name] or transport.send
        local ran, results = call_amid(function() transport:close() end, f, transport,
          f == transport.send and request "outer" or 0, function() return true end)
        hits = hits + (ran and 1 or 0)
        assert.is_true(results[1], results[2])
        local call = results[2]
        if f == transport.send and kind == "async" then
          local _, _, details = call:wait()
          assert.is_true(details == nil or details.code == "closed")
        end
        transport:close()
      end
      assert.is_true(hits > 0)
    end)

    if kind == "async" then
      it("that takes results or closes while a result is taken, loses and repeats none", function()
        for round = 1, ROUNDS / 2 do
          local handle, tags, taken = open(), {}, {}
          for _ = 1, 4 do
            tags[send(handle, "inner")] = "inner"
          end
          local deadline = os.time() + 120 -- collections take seconds under valgrind
          repeat
            handle:wait(1)
            local closes = round % 2 == 0
            local ran, results = call_amid(function()
              if closes then
                handle:close()
              else
                taken[#taken + 1] = { handle:done() }
              end
            end, handle.done, handle)
            assert.is_true(results[1], results[2])
            taken[#taken + 1] = results[1] and { results[2], results[3], results[4] } or nil
            for index = #taken, 1, -1 do
              local result = table.remove(taken, index)
              if result[1] then
                assert.equal("inner", tags[result[1]])
                check("inner", result[2], result[3])
                tags[result[1]] = nil
              end
            end
            assert(os.time() < deadline)
          until not next(tags) or closes and ran
          handle:close()
        end
      end)
    end
  end)
end
