local cjson = require "cjson"
local config = require "pusher.push.config"
local fails = require "spec.helpers.fails"
local json = assert(require("pusher.base.json").new())

local DECLARED = {
  enabled = { "boolean", default = false },
  size = { "number", default = 3, min = 1, max = 9 },
  more = { "table", fields = { name = { "string" } } },
}

local function assert_refused(field, result, message, details)
  assert.is_nil(result)
  assert.matches("^failed to parse config: ", message)
  assert.are.equal("config", details.code)
  assert.are.equal(field, details.field)
  return message
end

describe("pusher.push.config", function()
  describe("check", function()
    it("fills in the defaults, and reads JSON null as absent", function()
      local expected = { enabled = false, size = 3, more = {} }
      assert.are.same(expected, config.check({}, DECLARED))
      assert.are.same(expected, config.check(cjson.null, DECLARED))
      assert.are.same(expected, config.check({ size = cjson.null, more = { name = cjson.null } }, DECLARED))
    end)

    it("says what must be and what was given", function()
      assert.are.equal("failed to parse config: the configuration must be an object, got a list",
        assert_refused("the configuration", config.check({ 1 }, DECLARED)))
      assert.are.equal("failed to parse config: the configuration must be an object, got string",
        assert_refused("the configuration", config.check("x", DECLARED)))
      assert_refused("the configuration", config.check(nil, DECLARED))
      assert.matches("size must be a number from 1 to 9", assert_refused("size", config.check({ size = 10 }, DECLARED)), 1, true)
      assert.matches("more.name must be a string", assert_refused("more.name", config.check({ more = { name = 5 } }, DECLARED)),
        1, true)
      assert.matches("got a list", assert_refused("more", config.check({ more = { "x" } }, DECLARED)), 1, true)
    end)

    it("reports unknown members and accepts the rest", function()
      local names = {}
      local checked = assert(config.check({ x = 1, size = 4, more = { y = 2 } }, DECLARED, function(name)
        names[#names + 1] = name
      end))
      table.sort(names)
      assert.are.same({ "more.y", "x" }, names)
      assert.are.same({ enabled = false, size = 4, more = {} }, checked)
      assert(config.check({ x = 1 }, DECLARED))
    end)
  end)

  describe("entries", function()
    it("are a list, decoded or as JSON", function()
      local list = { { name = "a", config = { x = 1 } } }
      assert.are.same(list, config.entries(list, json))
      assert.are_not.equal(list, config.entries(list, json))
      assert.are.same(list, config.entries('[{"name":"a","config":{"x":1}}]', json))
      assert.are.same({}, config.entries("null", json))
      assert.are.same({ cjson.null, { name = cjson.null } }, config.entries('[null,{"name":null}]', json))
    end)

    it("are refused otherwise", function()
      for _, given in ipairs { "", "{}", ' {"name":"a"}', "5", '"a"', "[7]", '[{"name":5}]', '[{"name":{}}]', '[{"name":"a"}',
        { name = "a" }, { { name = "a" }, x = 1 }, { { name = 5 } }, { 7 } } do
        assert_refused(nil, config.entries(given, json))
      end
    end)
  end)

  it("names what was given instead of a list", function()
    local front = "failed to parse config: "
    fails(front .. "the configuration must be a list, got an object", { code = "config" }, config.entries("{}", json))
    fails(front .. "the configuration must be a list, got number", { code = "config" }, config.entries("5", json))
    fails(front .. "an entry must be { name =, config = }, got number", { code = "config" }, config.entries({ 7 }, json))
    fails(front .. "name must be a string, got number", { code = "config" }, config.entries({ { name = 5 } }, json))
    local _, text = json.decode("[")
    fails(front .. text, { code = "config" }, config.entries("[", json))
  end)
end)
