local callback = require "pusher.base.callback"

local UNSHOWABLE = setmetatable({}, { __tostring = function() error("no") end })

local function new_log()
  local logged = {}
  return function(level, message, fields)
    logged[#logged + 1] = { level, message, fields }
  end, logged
end

local function with_stderr(run)
  local stderr, written = io.stderr, {}
  rawset(io, "stderr", { write = function(_, ...) written[#written + 1] = table.concat { ... } end })
  local ok, message = pcall(run)
  rawset(io, "stderr", stderr)
  assert(ok, message)
  return written
end

describe("pusher.base.callback", function()
  it("shows any value", function()
    assert.equal("boom", callback.text("boom"))
    assert.equal("nil", callback.text(nil))
    assert.equal("7", callback.text(7))
    assert.equal("an error that cannot be shown", callback.text(UNSHOWABLE))
  end)

  it("knows a lack of memory, also with a file's name before it", function()
    for text, expected in pairs { ["not enough memory"] = true, ["x.lua: not enough memory"] = true,
      ["not enough memory."] = false, ["enough memory"] = false, [""] = false } do
      assert.equal(expected, callback.is_out_of_memory(text), text)
    end
    assert.same({ false, "not enough memory" }, { pcall(callback.raise_out_of_memory, callback.OUT_OF_MEMORY) })
    assert.is_true((pcall(callback.raise_out_of_memory, "x.lua: not enough memory")))
  end)

  it("writes to standard error", function()
    assert.same({ "pusher: warn: careful\n" }, with_stderr(function()
      callback.log_to_stderr("warn", "careful")
    end))
  end)

  it("logs, to standard error when the log raises", function()
    local log, logged = new_log()
    assert.same({}, with_stderr(function()
      callback.log(log, "info", "text")
      callback.log(log, "info", "text", { code = 1 })
    end))
    assert.same({ { "info", "text", {} }, { "info", "text", { code = 1 } } }, logged)
    assert.same({ "pusher: error: text\n" }, with_stderr(function()
      callback.log(error, "error", "text")
    end))
  end)

  for _, kind in ipairs { "run", "call" } do
    local function run(log, ...)
      if kind == "run" then
        return callback.run(log, ...)
      end
      return callback.new(log):call(...)
    end

    describe(kind, function()
      it("passes arguments and results", function()
        local log, logged = new_log()
        local got
        local function f(a, b, c, d, e)
          got = { a, b, c, d, e }
          return a, b, c
        end
        assert.same({ true, 1, nil, 3 }, { run(log, "f", nil, f, 1, nil, 3, 4, 5) })
        assert.same({ 1, nil, 3, 4, 5 }, got)
        assert.same({ true, nil, "message", "details" }, { run(log, "f", nil, function()
          return nil, "message", "details"
        end) })
        assert.same({}, logged)
      end)

      it("logs what is raised, whatever it is", function()
        for _, case in ipairs { { "boom", "boom" }, { UNSHOWABLE, "an error that cannot be shown" } } do
          local log, logged = new_log()
          local ok, text = run(log, "f", { channel = "c" }, error, case[1], 0)
          assert.is_false(ok)
          assert.equal(case[2], text)
          assert.same({ { "error", "f raised: " .. case[2], { channel = "c" } } }, logged)
        end
        local log, logged = new_log()
        run(log, "f", nil, error, "boom", 0)
        assert.same({ code = "callback" }, logged[1][3])
      end)
    end)
  end

  it("knows which coroutine is inside a function", function()
    local calls = callback.new(error)
    local seen = {}
    local function look(name)
      seen[name] = { calls:is_inside(), calls:others_inside() }
    end
    look("before")
    calls:call("f", nil, function()
      look("inside")
      calls:call("g", nil, look, "nested")
      look("after nested")
      coroutine.wrap(function()
        look("other")
        calls:call("f", nil, look, "both")
      end)()
    end)
    look("after")
    assert.same({
      before = { false, false }, inside = { true, false }, nested = { true, false }, ["after nested"] = { true, false },
      other = { false, true }, both = { true, true }, after = { false, false },
    }, seen)
  end)

  it("knows that somebody is inside also when there is no memory to note who", function()
    local calls = callback.new(error)
    setmetatable(calls.inside, { __newindex = function(_, _, value) return value and error("not enough memory", 0) end })
    local seen
    calls:call("f", nil, function()
      seen = calls:is_inside()
      coroutine.wrap(function() seen = seen and calls:is_inside() end)()
    end)
    assert.is_true(seen)
    assert.is_false(calls:is_inside())
  end)

  it("forgets a coroutine that is given up inside a function", function()
    local calls = callback.new(function() end)
    local waiting = coroutine.create(function() calls:call("f", nil, coroutine.yield) end)
    coroutine.resume(waiting)
    waiting = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    assert.is_false(calls:others_inside())
  end)

  it("is outside again after an error", function()
    local calls = callback.new(function() end)
    calls:call("f", nil, error, "boom")
    assert.is_false(calls:is_inside())
    assert.is_false(calls:others_inside())
  end)
end)
