local audience = require "pusher.beams.audience"
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
end)
