local cjson = require "cjson"
local fails = require "spec.helpers.fails"
local receipt = require "pusher.push.tinode.receipt"
local stdout = require "pusher.push.stdout"
local vectors = require("spec.helpers.push_vectors").tinode_stdout

local ANN, ONE, FIVE = "CAcGBQQDAgE", "AQAAAAAAAAA", "BQAAAAAAAAA"

local function message_receipt()
  return assert(receipt.check({
    to = { [ANN] = { delivered = 1, devices = { "d1", "d2" }, unread = 3 }, [FIVE] = {} },
    payload = { what = "msg", topic = "grpAbCdEf", ts = "2020-03-13T06:48:18.123Z", from = "usrCAcGBQQDAgE",
      seq = 42, mime = "text/plain", content = "hello" },
  }, 0))
end

local function subscription_receipt()
  return assert(receipt.check({
    to = { [ONE] = {} },
    payload = { what = "sub", silent = true, topic = "usrAAA", ts = "0001-01-01T00:00:00Z", want = 47, given = 255,
      content = { txt = "a", fmt = { 1 } } },
  }, 0))
end

local function started(config, options)
  local lines = {}
  options = options or {}
  options.write = options.write or function(line)
    lines[#lines + 1] = line
  end
  local handler = assert(stdout.new(options))
  assert(handler:init(config))
  return handler, lines
end

describe("pusher.push.stdout", function()
  it("prints one JSON line per receipt", function()
    local handler, lines = started { enabled = true }
    assert.is_true(handler:push(message_receipt()))
    assert.is_true(handler:push(subscription_receipt()))
    assert.are.equal('{"to":{"BQAAAAAAAAA":{"delivered":0,"unread":0},"CAcGBQQDAgE":{"delivered":1,'
      .. '"devices":["d1","d2"],"unread":3}},"payload":{"what":"msg","silent":false,"topic":"grpAbCdEf",'
      .. '"ts":"2020-03-13T06:48:18.123Z","from":"usrCAcGBQQDAgE","seq":42,"mime":"text/plain",'
      .. '"content":"hello"}}', lines[1])
    local second = cjson.decode(lines[2])
    assert.are.same({ txt = "a", fmt = { 1 } }, second.payload.content)
    assert.are.equal("JRWPASDO", second.payload.given)
    assert.are.same({ printed = 2 }, handler:stats())
  end)

  it("checks a receipt that is given to it directly", function()
    local handler, lines = started { enabled = true }
    local ok, message, details = handler:push { to = { [5] = {} }, payload = { what = "msg" } }
    assert.is_nil(ok)
    assert.is_string(message)
    assert.are.equal("invalid", details.code)
    assert.is_true(handler:push { to = {}, payload = { what = "msg", ts = 0 } })
    assert.are.equal("1970-01-01T00:00:00Z", cjson.decode(lines[1]).payload.ts)
  end)

  it("stamps a receipt without a time with its clock", function()
    local handler, lines = started({ enabled = true }, { clock = function()
      return 1600000000
    end })
    handler:push { to = {}, payload = { what = "msg" } }
    assert.are.equal("2020-09-13T12:26:40Z", cjson.decode(lines[1]).payload.ts)
  end)

  it("never breaks a line", function()
    local handler, lines = started { enabled = true }
    local given = message_receipt()
    given.payload.content = "two\nlines\r\0"
    handler:push(given)
    assert.is_nil(lines[1]:find("[\r\n%z]"))
    assert.are.equal("two\nlines\r\0", cjson.decode(lines[1]).payload.content)
  end)

  it("prints in the chat server's own form when asked to", function()
    local handler, lines = started { enabled = true, format = "go" }
    handler:push(message_receipt())
    handler:push(subscription_receipt())
    assert.are.equal(vectors.lines[1].line, lines[1])
    assert.are.equal(vectors.lines[2].line, lines[2])
    assert.are.equal(vectors.lines[3].line, stdout.go(nil))
  end)

  it("prints numbers, booleans and lists in that form", function()
    local given = subscription_receipt()
    given.payload.content = { b = true, n = 1.5, list = { "x", { y = 2 } } }
    assert.matches("map[b:true list:[x map[y:2]] n:1.5]", stdout.go(given), 1, true)
    given.payload.content = nil
    assert.matches(" <nil> JRWPS JRWPASDO}}", stdout.go(given), 1, true)
    for number, text in pairs { [0] = "0", [1e18] = "1000000000000000000", [-1e20] = "-100000000000000000000",
      [1e21] = "1e+21", [-1e21] = "-1e+21", [0.5] = "0.5" } do
      given.payload.content = { n = number }
      assert.matches("map[n:" .. text .. "]", stdout.go(given), 1, true)
    end
  end)

  it("is not ready until enabled, and not after a stop", function()
    local handler = assert(stdout.new())
    assert.is_false(handler:is_ready())
    assert(handler:init {})
    assert.is_false(handler:is_ready())
    handler = started { enabled = true, buffer = -3 }
    assert.is_true(handler:is_ready())
    assert.is_true(handler:stop())
    assert.is_true(handler:stop())
    assert.is_false(handler:is_ready())
    assert(handler:init { enabled = true })
    assert.is_true(handler:is_ready())
  end)

  it("refuses a second start, whether it was enabled or not", function()
    for _, enabled in ipairs { true, false } do
      local handler = started { enabled = enabled }
      local ok, message, details = handler:init { enabled = true }
      assert.is_nil(ok)
      assert.are.equal(vectors.second_init_error, message)
      assert.are.equal("config", details.code)
    end
  end)

  it("refuses a configuration that is none", function()
    for _, config in ipairs { false, "str", 5, { format = "xml" }, { enabled = "yes" } } do
      local ok, message, details = assert(stdout.new()):init(config or nil)
      assert.is_nil(ok)
      assert.matches("^failed to parse config: ", message)
      assert.are.equal("config", details.code)
    end
  end)

  it("says so when nothing can be printed", function()
    local handler = started({ enabled = true }, { write = function()
      return nil, "Broken pipe"
    end })
    local ok, message, details = handler:push(message_receipt())
    assert.is_nil(ok)
    assert.matches("Broken pipe", message)
    assert.are.equal("closed", details.code)
    assert.are.same({ printed = 0 }, handler:stats())
  end)

  it("refuses options that it does not know, or cannot use", function()
    for _, options in ipairs { { wirte = print }, { write = 5 }, { json = {} } } do
      local handler, message, details = stdout.new(options)
      assert.is_nil(handler)
      assert.is_string(message)
      assert.are.equal("config", details.code)
    end
  end)

  it("passes a codec's refusal on", function()
    local handler = started({ enabled = true }, { json = {
      encode = function()
        error("no")
      end,
      decode = cjson.decode,
    } })
    local ok, message, details = handler:push(subscription_receipt())
    assert.is_nil(ok)
    assert.is_string(message)
    assert.are.equal("invalid", details.code)
  end)

  it("says what is wrong", function()
    local handler = started({ enabled = true }, { write = function() return nil, "no" end })
    fails("cannot print: no", { code = "closed" }, handler:push(message_receipt()))
    fails("already initialized", { code = "config" }, handler:init {})
    fails('failed to parse config: format must be "json" or "go", got "xml"', { code = "config", field = "format" },
      stdout.new():init { format = "xml" })
  end)
end)
