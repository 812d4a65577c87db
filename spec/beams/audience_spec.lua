local audience = require "pusher.beams.audience"
local fails = require "spec.helpers.fails"
local vectors = require("spec.helpers.push_vectors").beams

local function list_of(count)
  local list = {}
  for index = 1, count do
    list[index] = "i" .. index
  end
  return list
end

local function from_hex(hex)
  return (hex:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

describe("pusher.beams.audience", function()
  for index, case in ipairs(vectors.interest_validation) do
    it("known answer of interests " .. index, function()
      local bytes, message, details = audience.check("interests", { case["in"] })
      assert.are.equal(case.ok, bytes ~= nil)
      if not case.ok then
        assert.is_string(message)
        assert.are.equal("invalid", details.code)
        assert.are.equal(1, details.index)
      end
    end)
  end

  for index, case in ipairs(vectors.user_validation) do
    it("known answer of users " .. index, function()
      local user = case["in"] or from_hex(case.in_hex)
      local ok = case.ok
      if ok == nil then
        ok = case.publish_ok
      end
      assert.are.equal(case.bytes or #user, #user)
      assert.are.equal(ok, audience.check_user(user) == true)
      assert.are.equal(ok, audience.check("users", { "ann", user }) ~= nil)
    end)
  end

  for _, case in ipairs(vectors.counts) do
    local name = case.interests and "interests" or "users"
    it(("known answer: %d %s"):format(case[name], name), function()
      assert.are.equal(case.ok, audience.check(name, list_of(case[name])) ~= nil)
    end)
  end

  it("allows 1000 users, and says how large a request may be", function()
    assert.are.equal(200 * 1024, select(2, audience.check("users", list_of(1000))))
    assert.are.equal(10 * 1024, select(2, audience.check("interests", list_of(1))))
  end)

  it("refuses what is not a list of strings", function()
    for _, list in ipairs { { a = "b" }, { 5 }, { "a", {} }, { "a", "" }, { "a", nil, "c" } } do
      for _, name in ipairs { "interests", "users" } do
        local bytes, message, details = audience.check(name, list)
        assert.is_nil(bytes)
        assert.is_string(message)
        assert.are.equal(name, details.field)
      end
    end
  end)

  it("says what is wrong", function()
    local function details(field, index)
      return { code = "invalid", field = field, index = index }
    end
    fails('interest "a b" has a character outside A-Za-z0-9_-=@,.;', details("interests", 2),
      audience.check("interests", { "a", "a b" }))
    fails("interest must be a string, got number", details("interests", 1), audience.check("interests", { 5 }))
    fails("user id is not valid UTF-8", details("users", 1), audience.check("users", { "\255" }))
    fails('user id "" must have 1 to 164 bytes, got 0', details("user_id"), audience.check_user(""))
    fails(('user id "%s…" must have 1 to 164 bytes, got 165'):format(("x"):rep(60)), details("user_id"),
      audience.check_user(("x"):rep(165)))
    assert.is_true(audience.check_user(("x"):rep(164)))
    fails("interests must be a list of 1 to 100 names, got 0", { code = "invalid", field = "interests", limit = 100 },
      audience.check("interests", {}))
    fails("users must be a list of 1 to 1000 ids, got 0", { code = "invalid", field = "users", limit = 1000 },
      audience.check("users", {}))
  end)
end)
