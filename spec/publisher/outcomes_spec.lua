local outcomes = require "pusher.publisher.outcomes"

local EVENT = { channel = "a", name = "e", text = "the data", key = "bob", tag = 7, next = {} }

local function new(on_result)
  local told, logged = {}, {}
  local book = outcomes.new(on_result or function(...)
    told[#told + 1] = { ... }
  end, function(level, message, fields)
    logged[#logged + 1] = { level = level, message = message, fields = fields }
  end)
  return book, told, logged
end

describe("pusher.publisher.outcomes", function()
  it("tells of an event what its sender gave, and nothing of its data", function()
    local book, told = new()
    book:deliver(EVENT, { user_count = 3 })
    assert.same({ { { channel = "a", name = "e", replace = "bob", tag = 7 }, { user_count = 3 } } }, told)
    assert.equal(1, book.sent)
  end)

  it("gives an empty result where the server has nothing to say", function()
    local book, told = new()
    book:deliver(EVENT)
    book:deliver(EVENT, "odd")
    assert.same({ {}, {} }, { told[1][2], told[2][2] })
  end)

  it("tells of failures, each with details of its own", function()
    local book, told = new()
    local details = { code = "server", status = 500, retryable = true }
    book:fail(EVENT, "broken", details)
    book:fail(EVENT, "broken", details)
    assert.equal("broken", told[1][3])
    assert.same(details, told[1][4])
    assert.are_not.equal(details, told[1][4])
    assert.are_not.equal(told[1][4], told[2][4])
    assert.equal(2, book.failed)
  end)

  it("tells of dropped and replaced events", function()
    local book, told = new()
    book:drop(EVENT)
    book:replace(EVENT)
    assert.is_nil(told[1][2])
    assert.equal("full", told[1][4].code)
    assert.same({ replaced = true }, told[2][2])
    assert.same({ 1, 1 }, { book.dropped, book.replaced })
  end)

  it("counts without anybody listening", function()
    local book = outcomes.new(nil, error)
    book:deliver(EVENT)
    book:fail(EVENT, "x", { code = "server" })
    book:drop(EVENT)
    book:replace(EVENT)
    assert.same({ 1, 1, 1, 1 }, { book.sent, book.failed, book.dropped, book.replaced })
  end)

  it("survives and logs an on_result that raises, whatever it raises", function()
    for _, trouble in ipairs { "boom", setmetatable({}, { __tostring = function() return "boom" end }) } do
      local book, _, logged = new(function()
        error(trouble, 0)
      end)
      book:deliver(EVENT)
      assert.equal("error", logged[1].level)
      assert.equal("on_result raised: boom", logged[1].message)
      assert.same({ channel = "a", event = "e" }, logged[1].fields)
      assert.is_false(book:is_telling())
    end
  end)

  it("survives what cannot even be logged", function()
    local book = outcomes.new(function()
      error(setmetatable({}, { __tostring = error }))
    end, function()
      error("the log is broken, too")
    end)
    book:deliver(EVENT)
    assert.equal(1, book.sent)
  end)

  it("knows who is called from on_result, and who only runs meanwhile", function()
    local book, inside, other
    book = new(function()
      inside = book:is_telling()
      coroutine.wrap(function()
        other = book:is_telling()
      end)()
    end)
    book:deliver(EVENT)
    assert.same({ true, false, false }, { inside, other, book:is_telling() })
  end)
end)
