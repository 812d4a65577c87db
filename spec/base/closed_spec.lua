local closed = require "pusher.base.closed"

describe("pusher.base.closed", function()
  local object, refused

  before_each(function()
    refused = {}
    object = setmetatable({ id = 7 }, {
      __name = "thing",
      __index = { close = error, send = error, read = error },
      __tostring = function(self)
        return ("thing (number %d)"):format(self.id)
      end,
    })
    closed.set(object, function(self, name)
      refused[#refused + 1] = { self, name }
      return nil, "closed", name
    end)
  end)

  it("refuses every method, and keeps the fields", function()
    assert.same({ nil, "closed", "send" }, { object:send("x") })
    assert.same({ nil, "closed", "read" }, { object:read() })
    assert.same({ { object, "send" }, { object, "read" } }, refused)
    assert.is_nil(object.other)
    assert.equal(7, object.id)
  end)

  it("may be closed again", function()
    assert.equal(0, select("#", object:close()))
    assert.same({}, refused)
  end)

  it("shows that it is closed", function()
    assert.equal("thing (number 7, closed)", tostring(object))
    assert.equal("thing", getmetatable(object).__name)
  end)
end)
