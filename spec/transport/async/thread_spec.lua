-- The network's thread: when it starts, what it leaves to the host, and how it ends.

local async = require "pusher.transport.async"
local calls = require "spec.helpers.calls"
local contract = require "spec.helpers.transport_contract"
local core = require "pusher.core"
local curl = require "pusher.curl"
local declared = require "pusher.base.options"
local local_server = require "tools.local_server"
local process = require "pusher_test.process"
local time_scale = require "spec.helpers.time_scale"

local GONE = 5 -- seconds in which a thread and its descriptors are gone; it takes a few milliseconds

describe("the thread of the async transport", function()
  local server, opened

  setup(function()
    server = local_server.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    calls.await_threads()
    opened = {}
  end)

  after_each(function()
    for _, transport in ipairs(opened) do
      transport:close()
    end
  end)

  local function new(options)
    local transport = calls.transport(server, options)
    opened[#opened + 1] = transport
    return transport
  end

  local function send(transport, ...)
    return calls.send(transport, server, ...)
  end

  -- In a child, so that no thread of other tests, which may be about to end, is counted.
  local function in_child(f)
    assert.equal(0, process.run(f, calls.CHILD))
  end

  it("starts with the first request or step, one for each transport", function()
    in_child(function()
      assert(process.threads() == 1)
      local first, second, third = new(), new(), new()
      assert(first:pollfd())
      assert(first:send(calls.request(server, "none", { host = "" }), print).done)
      assert(process.threads() == 1)
      for _ = 1, 5 do
        assert(send(first):wait(calls.WAIT) == 200)
      end
      assert(process.threads() == 2)
      assert(send(second):wait(calls.WAIT) == 200)
      assert(process.threads() == 3)
      for _ = 1, 2 do
        assert(third:step() == 0)
        assert(process.threads() == 4)
      end
    end)
  end)

  it("is not waited for in an exit handler of the host's", function()
    assert.equal("closed\nnetwork\n", calls.run("spec/helpers/exit_handler.lua", server.host, server.port))
  end)

  for _, begun in ipairs { "made", "watched", "used" } do
    it("is another one in a child of a fork, also when the transport was only " .. begun .. " before", function()
      in_child(function()
        local transport = new()
        if begun == "watched" then
          assert(transport:pollfd())
        elseif begun == "used" then
          assert(send(transport):wait(calls.WAIT) == 200)
        end
        local pid, fd = process.fork(calls.CHILD)
        if not pid then
          process.leave(process.threads() == 1 and send(transport):wait(calls.WAIT) == 200 and process.threads() == 2)
        end
        assert(send(transport):wait(calls.WAIT) == 200)
        assert(process.wait(pid, fd) == 0)
      end)
    end)
  end

  describe("ends, and its descriptors with it,", function()
    local function start_calls(transport)
      for _, listener in ipairs { "http", "https", "h2" } do
        send(transport, "none", calls.over(server, listener))
        send(transport, "hang", calls.over(server, listener))
      end
      send(transport, "none", { scheme = "https", port = server.silent_port })
      send(transport, "none", { port = server.black_hole_port })
      send(transport, "none", { host = contract.NO_NAME })
    end

    for name, stop in pairs {
      ["after close"] = function(transport) transport:close() end,
      ["when nobody keeps the transport"] = function() end,
    } do
      it(name, function()
        in_child(function()
          assert(send(new()):wait(calls.WAIT) == 200) -- what is loaded once
          opened[1]:close()
          opened = {}
          process.poll(-1, 0)
          calls.await_resources({ threads = 1, descriptors = 1024 }, GONE)
          local before = calls.resources()
          for waits = 0, 9 do
            local transport = calls.transport(server)
            start_calls(transport)
            transport:step(waits / 1000)
            local start = core.now()
            stop(transport)
            assert(core.now() - start < 0.5 * time_scale, "it waited")
          end
          collectgarbage()
          collectgarbage()
          calls.await_resources(before, GONE)
        end)
      end)
    end
  end)

  describe("leaves the host's signals alone:", function()
    -- Blocked in the host's thread, a signal stays pending, unless another thread takes it: its default action would
    -- end the process.
    for _, name in ipairs { "ALRM", "CHLD", "INT", "USR1" } do
      it("SIG" .. name, function()
        in_child(function()
          local transport = new()
          local slow = send(transport, "delay?ms=50")
          assert(send(transport):wait(calls.WAIT) == 200)
          process.block(name)
          process.raise(name)
          assert(slow:wait(calls.WAIT) == 200)
          assert(process.pending(name))
        end)
      end)
    end

    -- The masks of proc(5): hexadecimal, signal 1 in the last digit's lowest bit.
    local function is_blocked(mask, signal)
      local digit = tonumber(mask:sub(-1 - math.floor((signal - 1) / 4)):sub(1, 1), 16)
      return math.floor(digit / 2 ^ ((signal - 1) % 4)) % 2 == 1
    end

    -- KILL (9) cannot be blocked. SIGPIPE (13) is: a write to a connection that has ended must not end the process.
    it("all but those that a fault of its own raises", function()
      in_child(function()
        local transport = new()
        assert(send(transport):wait(calls.WAIT) == 200)
        local list = assert(io.popen("grep SigBlk /proc/$PPID/task/*/status"))
        local text, found = list:read("*a"), 0
        list:close()
        for process_id, thread_id, mask in text:gmatch("/proc/(%d+)/task/(%d+)/status:SigBlk:%s*(%x+)") do
          if thread_id ~= process_id then
            found = found + 1
            for signal = 1, 15 do
              assert(is_blocked(mask, signal) == not (signal >= 4 and signal <= 9 or signal == 11), signal)
            end
          end
        end
        assert(found == 1, text)
      end)
    end)

    -- The interpreter's handler only sets a hook, which raises when step returns. The host of `make asan` and of Lua 5.5 has no handler.
    it("SIGINT, which ends a wait", function()
      local interpreter = os.getenv("PUSHER_LUA")
      local program = os.tmpname()
      local file = assert(io.open(program, "w"))
      file:write(([[
        local transport = require("pusher.transport.async").new()
        local function send(target)
          return transport:send({ method = "GET", scheme = "http", host = %q, port = %d, target = target, headers = {},
            timeout = 60 }, function(status) return status end)
        end
        local call = send("/_misbehave/hang")
        transport:step(0.01)
        print(pcall(function() -- all of it, since the signal comes as soon as "ready" has been read
          io.write("ready\n")
          io.flush()
          return call:wait(60)
        end))
        print("and then", send("/_misbehave/none"):wait(%d))
        os.exit(true, false)
      ]]):format(server.host, server.port, calls.WAIT))
      file:close()
      local pipe = assert(io.popen("echo $$; ulimit -t 10; exec " .. interpreter .. " " .. program .. " 2>&1"))
      local pid = pipe:read("*l")
      local ready = pipe:read("*l")
      local start = core.now()
      os.execute("kill -INT " .. pid)
      local text = pipe:read("*a")
      pipe:close()
      os.remove(program)
      assert.equal("ready", ready)
      assert.is_true(core.now() - start < 2 * time_scale)
      assert.is_truthy(text:find("interrupted!.*\nand then\t200\t") or interpreter:find("build/", 1, true), text)
    end)
  end)

  describe("with calls that end while nobody asks", function()
    it("leaves the descriptor readable until a step has taken all outcomes, cancelled ones, too", function()
      local transport = new()
      local fd = transport:pollfd()
      local call = send(transport)
      assert.is_true(process.poll(fd, calls.WAIT))
      assert.is_true(call:cancel())
      for _ = 1, 2 do -- the first one may run out of time before it has looked again
        assert.equal(0, transport:step())
      end
      assert.is_false(process.poll(fd, 0))
    end)

    it("leaves the descriptor unreadable when a step's last outcome was the last one of all", function()
      local transport = new()
      local fd = transport:pollfd()
      for _ = 1, 300 do
        send(transport)
      end
      while transport:step() > 0 do
        assert.is_true(process.poll(fd, calls.WAIT))
      end
      for _ = 1, 2 do
        transport:step()
      end
      assert.is_false(process.poll(fd, 0))
    end)
  end)

  describe("with a handle of pusher.curl", function()
    local handle, request

    before_each(function()
      handle = assert(curl.async(assert(declared.transport())))
      request = calls.request(server, "none")
    end)

    after_each(function()
      handle:close()
    end)

    it("waits as long as it was asked to, whatever was taken before", function()
      local fd = handle:pollfd()
      assert(handle:add(request))
      assert.is_true(process.poll(fd, calls.WAIT))
      assert.equal(1, (handle:done()))
      assert(handle:add(calls.request(server, "hang")))
      local start = core.now()
      handle:wait(0.05)
      assert.is_true(core.now() - start >= 0.05)
    end)

    it("has a readable descriptor for outcomes that are there already", function()
      for number = 1, 10 do -- the thread may be later than the server
        local before = server:inspect().responses
        assert(handle:add(request))
        assert(handle:add(request))
        assert.is_true(server:wait({ responses = before + 2 }).reached)
        assert.is_true(process.poll(handle:pollfd(), calls.WAIT))
        calls.eventually(5, "no outcome", function() return handle:done() end)
        assert.is_true(process.poll(handle:pollfd(), calls.WAIT), "of two outcomes in round " .. number)
        calls.eventually(5, "no outcome", function() return handle:done() end)
        handle:close()
        handle = assert(curl.async(assert(declared.transport())))
      end
    end)
  end)

  describe("bad use:", function()
    it("waits that make no time are refused, also while calls are in flight", function()
      local transport = new()
      local call = send(transport, "delay?ms=20")
      for _, seconds in ipairs { -1, 0 / 0, -math.huge } do
        assert.equal("invalid", select(3, transport:step(seconds)).code)
      end
      assert.equal(200, call:wait(calls.WAIT))
    end)

    it("a closed transport refuses all and starts nothing", function()
      in_child(function()
        local transport = async.new()
        transport:close()
        assert(calls.code(send(transport)) == "closed")
        assert(select(3, transport:step(0)).code == "closed")
        assert(transport:pollfd() == nil)
        transport:close()
        assert(process.threads() == 1)
      end)
    end)

    it("callbacks that raise, close, and make a transport of their own", function()
      local logged, inner = 0, nil
      local transport = new { log = function() logged = logged + 1 end }
      local ends = 0
      for index = 1, 30 do
        send(transport, index % 3 == 0 and "hang" or "none"):on_done(function()
          ends = ends + 1
          if index == 10 then
            transport:close()
            inner = new()
            assert(send(inner):wait(calls.WAIT) == 200)
          end
          error("boom")
        end)
      end
      local deadline = core.now() + 2 * calls.WAIT
      repeat
        local running = transport:step(0.1)
        assert(core.now() < deadline)
      until not running
      assert.equal(30, ends)
      assert.equal(30, logged)
      assert.equal(200, send(inner):wait(calls.WAIT))
    end)
  end)
end)
