local fails = require "spec.helpers.fails"
local validate = require "pusher.channels.validate"
local vectors = require "spec.helpers.vectors"

local function refused(value, message, details)
  assert.is_nil(value)
  assert.equal("invalid", details.code)
  return message
end

describe("pusher.channels.validate", function()
  it("judges channel names as the known answers say", function()
    for _, vector in ipairs(vectors.of("channel_name")) do
      local name = vector.inputs.value:rep(vector.inputs["repeat"] or 1)
      assert.equal(vector.expected.valid, validate.channel(name) == true, vector.source .. " " .. name)
    end
  end)

  it("judges socket ids as the known answers say", function()
    for _, vector in ipairs(vectors.of("socket_id")) do
      assert.equal(vector.expected.valid, validate.socket_id(vector.inputs.value) == true, vector.inputs.value)
    end
  end)

  it("judges user ids as the known answers say, but for Python's narrower alphabet", function()
    for _, vector in ipairs(vectors.of("user_id")) do
      local id = vector.inputs.value:rep(vector.inputs["repeat"])
      local expected = vector.expected.valid or id == "abc%&*"
      assert.equal(expected, validate.user_id(id) == true, id)
    end
  end)

  it("refuses names with spaces, newlines, 201 bytes, and shows them without control characters", function()
    for _, name in ipairs { "a b", "a\n", "\na", "a\0", ("x"):rep(201), "", "ä" } do
      local message = refused(validate.channel(name))
      assert.is_nil(message:find("[%c]"))
      assert.is_true(#message < 200)
    end
    assert.is_true(validate.channel(("x"):rep(200)))
    refused(validate.channel(7))
  end)

  it("takes event names of 1 to 200 bytes", function()
    assert.is_true(validate.event("my event: ünïcode"))
    assert.is_true(validate.event(("e"):rep(200)))
    assert.is_true(validate.event(("é"):rep(100)))
    assert.equal("event name " .. '"' .. ("é"):rep(30) .. "…" .. '" must have 1 to 200 bytes, got 201',
      refused(validate.event(("é"):rep(100) .. "e")))
    for _, name in ipairs { "", ("e"):rep(201), "a\nb" } do
      refused(validate.event(name))
    end
    refused(validate.event(false))
  end)

  it("anchors socket ids to the very end", function()
    assert.is_true(validate.socket_id("1.1"))
    for _, id in ipairs { "1.1\n", "1.1 ", " 1.1", "1", "1.", ".1", "1.1.1", "a.b", "1.1:x" } do
      refused(validate.socket_id(id))
    end
    refused(validate.socket_id(1.1))
  end)

  it("takes user ids as other services make them", function()
    for _, id in ipairs { "auth0|5f7c", "a+b@example.org", "名前", ("u"):rep(200) } do
      assert.is_true(validate.user_id(id))
    end
    for _, id in ipairs { "", "a\nb", "a\0b", "a\127", "\31", ("u"):rep(201), "a\255", "\195", "\237\160\128" } do
      refused(validate.user_id(id))
      refused(validate.event(id))
    end
    refused(validate.user_id(7))
  end)

  it("joins info", function()
    assert.equal("user_count", validate.info("user_count"))
    assert.equal("user_count,subscription_count", validate.info { "user_count", "subscription_count" })
    for _, info in ipairs { "", {}, { 1 }, "user count", 7, "a&b=c" } do
      refused(validate.info(info))
    end
  end)

  it("takes 1 to 100 channels and keeps the caller's list", function()
    local given = { "a", "b" }
    local list = validate.channels(given)
    assert.same(given, list)
    assert.not_equal(given, list)
    assert.same({ "a" }, validate.channels("a"))
    local many = {}
    for index = 1, 101 do
      many[index] = "c" .. index
    end
    local _, message, details = validate.channels(many)
    assert.equal("invalid", details.code)
    assert.equal(100, details.limit)
    assert.truthy(message:find("101"))
    many[101] = nil
    assert.equal(100, #validate.channels(many))
    assert.equal("channels must be a list of 1 to 100 names, got 0", refused(validate.channels {}))
    refused(validate.channels { a = "x" })
    refused(validate.channels { "a", 7 })
  end)

  it("checks all arguments of a trigger", function()
    assert.same({ "a" }, validate.trigger("a", "e"))
    assert.same({ "a", "b" }, validate.trigger({ "a", "b" }, "e"))
    refused(validate.trigger("a b", "e"))
    refused(validate.trigger("a", ""))
    local list, _, details = validate.trigger({ "a", "private-encrypted-b" }, "e")
    assert.is_nil(list)
    assert.equal("encryption", details.code)
    assert.truthy(validate.trigger({ "private-encrypted-b" }, "e"))
  end)

  it("refuses steps of a path", function()
    for _, path in ipairs { "/.", "/..", "/a/../b", "/a/./b", "/%2e%2e/a", "/a/.%2E/b", "/a/%2e", "/%252e%252e/a", "/..;x/a",
      "/a/..%2fb", "/a%5c..%5cb" } do
      local ok, _, details = validate.target("GET", path)
      assert.is_nil(ok)
      assert.same({ "invalid", "path" }, { details.code, details.field })
    end
    for _, path in ipairs { "/a..", "/...", "/a/..b/.c", "/%2e%2e%2e", "/a=@,.;b" } do
      assert.is_true(validate.target("GET", path))
    end
    for _, part in ipairs { ".", "..", "a/../b", "..\\a", "%2e%2e", "%252e.", "..;a" } do
      local ok, message, details = validate.path_part(part, "user id", "user_id")
      assert.is_nil(ok)
      assert.truthy(message:find("user id ", 1, true))
      assert.same({ "invalid", "user_id" }, { details.code, details.field })
    end
    for _, part in ipairs { "...", "a.b", ".a", "a/b", "auth0|5f7c", "100%" } do
      assert.is_true(validate.path_part(part, "user id", "user_id"))
    end
  end)

  it("takes idempotency keys of 1 to 128 bytes of text", function()
    for _, key in ipairs { "a", ("a"):rep(128), 'with "quotes" and \\', "é", "a b", "123e4567-e89b-12d3-a456-426614174000" } do
      assert.is_true(validate.idempotency_key(key))
    end
    for _, key in ipairs { "", ("a"):rep(129), ("é"):rep(65), "\255", "a\n", "a\127", true, false, 7, {} } do
      refused(validate.idempotency_key(key))
    end
  end)

  it("lists the members of extra, sorted, and refuses those that the library sets", function()
    local extra = setmetatable({ tags = { a = "b" }, delta = true, ["x y"] = 1 }, { __index = { name = "n" } })
    assert.same({ { name = "delta", value = true }, { name = "tags", value = { a = "b" } }, { name = "x y", value = 1 } },
      validate.extra(extra))
    assert.same({}, validate.extra {})
    for _, name in ipairs { "name", "data", "channels", "channel", "socket_id", "info", "idempotency_key" } do
      refused(validate.extra { [name] = "x" })
    end
    for _, given in ipairs { "x", 7, true, { "x" }, { [true] = 1 }, { ["\255"] = 1 }, { ["a\n"] = 1 } } do
      refused(validate.extra(given))
    end
  end)

  it("takes encoded paths only", function()
    assert.is_true(validate.target("GET", "/channels/a=@,.;b/users"))
    assert.is_true(validate.target("POST", "/users/a%20b"))
    for _, path in ipairs { "", "channels", "/a b", "/a?b=1", "/a#b", "/a\r\nHost: x", "/é" } do
      refused(validate.target("GET", path))
    end
  end)

  it("says what is wrong", function()
    local function details(field)
      return { code = "invalid", field = field }
    end
    local long, shown = ("a"):rep(201), ("a"):rep(60) .. "…"
    fails("channel name must be a string, got table", details("channel"), validate.channel({}))
    fails(('channel name "%s" must have at most 200 bytes, got 201'):format(shown), details("channel"), validate.channel(long))
    fails('channel name "a b" is empty or has a character outside A-Za-z0-9_-=@,.;', details("channel"),
      validate.channel("a b"))
    fails("event name must be a string, got nil", details("event"), validate.event())
    fails(('user id "%s" must have 1 to 200 bytes, got 201'):format(shown), details("user_id"), validate.user_id(long))
    fails('user id "a?" has a control character', details("user_id"), validate.user_id("a\n"))
    fails('x "." cannot be part of a path: "." and ".." are steps there', details("y"), validate.path_part(".", "x", "y"))
    fails('socket_id "1" must look like 123.456', details("socket_id"), validate.socket_id("1"))
    fails("idempotency_key must be a string or true, got false", details("idempotency_key"),
      validate.idempotency_key(false))
    fails("idempotency_key must be a string or true, got number", details("idempotency_key"), validate.idempotency_key(7))
    fails('idempotency_key "" must have 1 to 128 bytes, got 0', details("idempotency_key"), validate.idempotency_key(""))
    fails(('idempotency_key "%s" must have 1 to 128 bytes, got 129'):format(shown), details("idempotency_key"),
      validate.idempotency_key(("a"):rep(129)))
    fails('idempotency_key "a?" has a control character', details("idempotency_key"), validate.idempotency_key("a\0"))
    fails("idempotency_key must be UTF-8", details("idempotency_key"), validate.idempotency_key("\255"))
    fails("extra must be a table of members, got string", details("extra"), validate.extra("x"))
    fails("extra must not have the member info, which the library sets", details("extra"), validate.extra { info = 1 })
    fails("the name of a member of extra must be a string, got number", details("extra"), validate.extra { 1 })
    fails('the name of a member of extra "" must have 1 to 200 bytes, got 0', details("extra"), validate.extra { [""] = 1 })
    local info = 'info must be names such as "user_count", as a string or a list of strings, got '
    fails(info .. '"A"', details("info"), validate.info("A"))
    fails(info .. "number", details("info"), validate.info({ "a", 5 }))
    fails(info .. "nil", details("info"), validate.info({ a = 1 }))
    fails("channels must be a list of 1 to 100 names, got 0", { code = "invalid", field = "channels", limit = 100 },
      validate.channels({}))
    fails("an encrypted channel cannot share a call with other channels: each has a key of its own; use trigger_batch",
      { code = "encryption", field = "channels" }, validate.trigger({ "a", "private-encrypted-b" }, "e"))
    fails('path "x" must begin with "/" and be percent-encoded, without a query', details("path"), validate.target("GET", "x"))
    fails('path "/../x" must not have "." or ".." as a segment', details("path"), validate.target("GET", "/../x"))
    fails('method "get" must be letters in upper case', details("method"), validate.target("get", "/"))
  end)
end)
