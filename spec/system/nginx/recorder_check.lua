-- The nginx.conf of docs/testing.md: the recorder in the place of the transport, and a location that shows what it has kept.

local cjson = require "cjson"
local nginx = require "tools.nginx"
local readme = require "spec.helpers.readme"

local function example()
  for _, block in ipairs(readme.blocks("docs/testing.md", "nginx")) do
    if readme.host(block) == "recorder" then
      return block.text
    end
  end
end

describe("nginx.conf of docs/testing.md", function()
  local web

  after_each(function()
    assert.equal("", web:finish())
  end)

  it("shows what the recorder has kept", function()
    local text = example()
    web = nginx.start { http = (text:match("^(.-\n)server")), server = text:match("8080;\n(.*)}%s*$") }
    assert.equal("ordered\n", web:request { path = "/order?id=7" }.body)
    local event = cjson.decode(web:request { path = "/recorded" }.body)[1]
    assert.same({ channel = "orders", name = "placed", data = { id = "7" } }, event)
    assert.equal("{}\n", web:request { path = "/recorded" }.body)
  end)
end)
