local options = require "pusher.base.options"

local NAN, INFINITY = 0 / 0, math.huge

local DECLARED = {
  text = { "string" },
  mode = { "string", default = "slow", one_of = { "slow", "fast" } },
  id = { "string", "number", max = 1000 },
  flag = { "boolean", default = true },
  call = { "function" },
  seconds = { "number", default = 0.5, min = 0.001 },
  count = { "number", min = 1, max = 20, integer = true },
  offset = { "number", min = -5 },
  group = { "table", fields = {
    size = { "number", default = 3, min = 1, integer = true },
    inner = { "table", fields = { on = { "boolean", default = false } } },
  } },
  any = { "table" },
}

local function refused(given, expected, field, how)
  local checked, message, details = options.check(given, DECLARED, how)
  assert.is_nil(checked)
  assert.equal(expected, message)
  assert.equal("config", details.code)
  assert.equal(field, details.field)
end

describe("pusher.base.options", function()
  it("fills in the defaults, of nested options as well", function()
    assert.same({ mode = "slow", flag = true, seconds = 0.5, group = { size = 3, inner = { on = false } } },
      options.check({}, DECLARED))
    assert.same({ size = 3, inner = { on = true } }, options.check({ group = { inner = { on = true } } }, DECLARED).group)
  end)

  it("keeps what fits", function()
    local any = {}
    local given = { text = "", mode = "fast", id = 7, flag = false, call = print, seconds = 0.001, count = 20, offset = -5,
      group = { size = 1, inner = { on = true } }, any = any }
    local checked = options.check(given, DECLARED)
    assert.same(given, checked)
    assert.equal(any, checked.any)
    assert.equal("7", options.check({ id = "7" }, DECLARED).id)
  end)

  it("does not change the caller's table, and returns a fresh one", function()
    local given = { text = "x", group = { size = 2 } }
    local first, second = options.check(given, DECLARED), options.check(given, DECLARED)
    assert.same({ text = "x", group = { size = 2 } }, given)
    assert.not_equal(given.group, first.group)
    first.group.size, first.group.inner.on = 9, true
    assert.same({ size = 2, inner = { on = false } }, second.group)
    assert.equal(3, options.check({}, DECLARED).group.size)
  end)

  it("reads each value once", function()
    local reads = 0
    local given = setmetatable({ text = "x" }, { __index = function()
      reads = reads + 1
      return "hidden"
    end })
    local checked = options.check(given, DECLARED)
    assert.equal("x", checked.text)
    assert.equal("slow", checked.mode)
    assert.equal(0, reads)
  end)

  it("refuses wrong types, and does not show the value, which may be a secret", function()
    refused({ text = 12345 }, 'option "text" must be a string, got number', "text")
    refused({ flag = "yes" }, 'option "flag" must be a boolean, got string', "flag")
    refused({ id = {} }, 'option "id" must be a string or a number, got table', "id")
    refused({ call = true }, 'option "call" must be a function, got boolean', "call")
    refused({ seconds = "5" }, 'option "seconds" must be a number, got string', "seconds")
    refused({ group = 5 }, 'option "group" must be a table, got number', "group")
    refused({ group = { inner = 5 } }, 'option "group.inner" must be a table, got number', "group.inner")
  end)

  it("refuses numbers out of range, NaN and infinity", function()
    refused({ seconds = 0 }, 'option "seconds" must be a number from 0.001 to 2147483647, got 0', "seconds")
    refused({ count = 21 }, 'option "count" must be a whole number from 1 to 20, got 21', "count")
    refused({ count = 1.5 }, 'option "count" must be a whole number from 1 to 20, got 1.5', "count")
    refused({ id = -1 }, 'option "id" must be a number from 0 to 1000, got -1', "id")
    refused({ offset = -6 }, 'option "offset" must be a number from -5 to 2147483647, got -6', "offset")
    refused({ group = { size = 0 } }, 'option "group.size" must be a whole number from 1 to 2147483647, got 0', "group.size")
    for _, name in ipairs { "seconds", "count", "id", "offset" } do
      for _, value in ipairs { NAN, -NAN, INFINITY, -INFINITY } do
        local checked, message, details = options.check({ [name] = value }, DECLARED)
        assert.is_nil(checked)
        assert.equal(name, details.field)
        assert.truthy(message:find('option "' .. name .. '" must be a ', 1, true), message)
      end
    end
  end)

  it("refuses a list in place of named fields", function()
    refused({ group = { 5 } }, 'option "group" must be a table with named fields, got a list', "group")
    assert.same({ 5 }, options.check({ any = { 5 } }, DECLARED).any)
  end)

  it("refuses a string that is not among the allowed ones", function()
    refused({ mode = "medium" }, 'option "mode" must be "slow" or "fast", got "medium"', "mode")
    refused({ mode = "a\nb" }, 'option "mode" must be "slow" or "fast", got "a?b"', "mode")
  end)

  it("refuses a name that cannot be shown", function()
    local checked, _, details = options.check({ [setmetatable({}, { __tostring = error })] = 1 }, { x = { "number" } })
    assert.is_nil(checked)
    assert.equal("config", details.code)
  end)

  it("names the option that a misspelt one may stand for", function()
    refused({ txet = "x" }, 'unknown option "txet"; did you mean "text"?', "txet")
    refused({ group = { sise = 1 } }, 'unknown option "group.sise"; did you mean "group.size"?', "group.sise")
    local declared = { abcd = { "number" }, abce = { "number" }, xyzw = { "number" } }
    for given, meant in pairs { abcf = "abcd", ["abce_"] = "abce", xbzw = "xyzw", xxyz = "xyzw", abzw = "abcd",
      axxx = "none", ab = "abcd" } do
      local _, text = options.check({ [given] = 1 }, declared)
      assert.equal(("unknown option %q%s"):format(given, meant ~= "none" and ('; did you mean "%s"?'):format(meant) or ""), text)
    end
    local many = { zbcd = { "number" } }
    for letter in ("abcdefghijklmnop"):gmatch(".") do
      many["z" .. letter .. "xd"] = { "number" }
    end
    local _, nearest = options.check({ zbcq = 1 }, many)
    assert.equal('unknown option "zbcq"; did you mean "zbcd"?', nearest)
    refused({ something = 1 }, 'unknown option "something"', "something")
    refused({ x = 1 }, 'unknown option "x"', "x")
    refused({ [1] = "x" }, 'unknown option "1"', "1")
    local message, details
    local _
    _, message = options.check({ ["a\nb"] = 1 }, DECLARED)
    assert.truthy(message:find('"a?b"', 1, true), message)
    _, message, details = options.check({ [("x"):rep(100000)] = 1 }, DECLARED)
    assert.is_true(#message < 200)
    assert.equal(60, #details.field)
  end)

  describe("for other callers", function()
    it("calls options as the caller calls them", function()
      local how = { name = function(name)
        return "failed to parse config: " .. name
      end }
      refused({ group = { size = 0 } },
        "failed to parse config: group.size must be a whole number from 1 to 2147483647, got 0", "group.size", how)
    end)

    it("reports unknown options and goes on, when asked to", function()
      local seen = {}
      local how = { unknown = function(name)
        seen[#seen + 1] = name
      end }
      local checked = options.check({ txet = 1, text = "x", group = { sise = 1, size = 2 } }, DECLARED, how)
      table.sort(seen)
      assert.same({ "group.sise", "txet" }, seen)
      assert.equal("x", checked.text)
      assert.equal(2, checked.group.size)
      assert.is_nil(checked.txet)
      refused({ text = 5 }, 'option "text" must be a string, got number', "text", how)
    end)

    it("takes a null for an absent value", function()
      local null = {}
      local how = { is_null = function(value)
        return value == null
      end }
      assert.same(options.check({}, DECLARED),
        options.check({ text = null, mode = null, flag = null, group = null }, DECLARED, how))
      assert.equal(3, options.check({ group = { size = null } }, DECLARED, how).group.size)
      refused({ text = {} }, 'option "text" must be a string, got table', "text", how)
    end)
  end)

  describe("of transports", function()
    it("are complete after the check", function()
      assert.same({ timeout = 5, connect_timeout = 5, keepalive = { idle = 60, pool_size = 30 }, tls_verify = true,
        max_response_bytes = 1048576, max_pending = 10000 }, options.transport())
      assert.same(options.transport(), options.transport(options.transport()))
    end)

    it("limit connect_timeout to timeout", function()
      assert.equal(2, options.transport({ timeout = 2, connect_timeout = 9 }).connect_timeout)
      assert.equal(1, options.transport({ timeout = 2, connect_timeout = 1 }).connect_timeout)
      assert.equal(2, options.transport({ timeout = 2 }).connect_timeout)
    end)

    it("are refused when unknown or out of range", function()
      for field, given in pairs { ["keepalive.idel"] = { keepalive = { idel = 5 } }, ["keepalive.idle"] = { keepalive = { idle = -5 } },
        ["keepalive.pool_size"] = { keepalive = { pool_size = 1.5 } }, timeout = { timeout = 0 }, app_id = { app_id = "1" },
        max_pending = { max_pending = 0 }, max_response_bytes = { max_response_bytes = 0 }, log = { log = "stderr" } } do
        local checked, _, details = options.transport(given)
        assert.is_nil(checked)
        assert.same({ "config", field }, { details.code, details.field })
      end
    end)

    it("take a file that may exist later as ca_file, and nothing that is none", function()
      for _, wrong in ipairs { "/", "/dev/null" } do
        local checked, message, details = options.transport { ca_file = wrong }
        assert.is_nil(checked)
        assert.equal(('option "ca_file" must name a file, not a directory, a pipe or a device, got "%s"'):format(wrong), message)
        assert.same({ "config", "ca_file" }, { details.code, details.field })
      end
      for _, path in ipairs { "/nowhere/at/all.pem", "README.md" } do
        assert.equal(path, options.transport({ ca_file = path }).ca_file)
      end
    end)

    it("can be added to other declarations, which take precedence", function()
      local timeout = { "number", default = 10 }
      local declared = options.with_transport { timeout = timeout, own = { "string" } }
      assert.equal(timeout, declared.timeout)
      assert.same({ "string" }, declared.own)
      assert.equal(options.TRANSPORT.keepalive, declared.keepalive)
      assert.equal(5, options.TRANSPORT.timeout.default)
    end)
  end)

  it("declares rules for repeated calls", function()
    local declared = { retry = options.retry(4) }
    assert.same({ retry = { attempts = 4, base = 0.1, max = 10 } }, (options.check({}, declared)))
    assert.same({ retry = { attempts = 1, base = 0, max = 10 } },
      (options.check({ retry = { attempts = 1, base = 0 } }, declared)))
    assert.is_nil((options.check({ retry = { attempts = 0 } }, declared)))
    assert.is_nil((options.check({ retry = { attempts = 1.5 } }, declared)))
  end)
end)
