-- What callgrind's files say, and that a count of nothing is no count.

local dumps = require "bench.counts.dumps"
local text_file = require "tools.text_file"

local DUMP = [[
desc: Trigger: Client Request: trigger 1
ob=(1) /usr/bin/lua5.4
fn=(1) call
10 20
+1 3
calls=1 5
11 700
cob=(2) /usr/lib/libcrypto.so.3
calls=1 5
* 800
ob=(2)
5 9000
ob=(3) /tmp/build/5.4/pusher/core.so
-2 4
]]

describe("callgrind's counts", function()
  it("are of the objects that count, without what they call", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    text_file.write(path, DUMP)
    local name, total = dumps.read(path)
    assert.equal("trigger 1", name)
    assert.equal(27, total)
  end)

  it("of one call are the difference of the two, divided", function()
    assert.same({ a = 5, b = 1 }, dumps.per_call({ ["a 1"] = 100, ["a 2"] = 150, ["b 1"] = 1, ["b 2"] = 2 },
      { { "a", 10 }, { "b", 1 } }))
  end)

  it("must be above 0", function()
    for _, totals in ipairs { {}, { ["a 1"] = 0, ["a 2"] = 0 }, { ["a 1"] = 50, ["a 2"] = 50 }, { ["a 2"] = 4 },
      { ["a 1"] = 50, ["a 2"] = 40 } } do
      assert.has_error(function() dumps.per_call(totals, { { "a", 10 } }) end, "no instruction of a is counted")
    end
  end)
end)
