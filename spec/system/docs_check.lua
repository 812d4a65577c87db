-- The reference that `make docs` has written has each public function under the name that users write, and nothing
-- private. `make lint-docs` runs it.

local reference = require("spec.helpers.reference")
local source = require("spec.helpers.source")

local function html(module)
  return source.read(("build/docs/modules/%s.html"):format(module))
end

-- What the page calls a function: "client:trigger", or "new" where the module's own table is left out.
local function shown(page, item)
  local method = item.name:match("^methods:(.*)$")
  return method and page.object .. ":" .. method or item.name:match("^[^.]+%.([^.]+)$") or item.name
end

describe("build/docs", function()
  for _, page in ipairs(reference.pages()) do
    it("has all functions of " .. page.module .. ", and nothing private", function()
      local text, wrong = html(page.module), {}
      local _, count = text:gsub("<strong>[%w_.:]+%(", "")
      local functions = reference.functions(page.path)
      for _, item in ipairs(functions) do
        if not text:find("<strong>[%w_.]-" .. shown(page, item) .. "%(") then
          wrong[#wrong + 1] = shown(page, item)
        end
      end
      assert.same({}, wrong)
      assert.equal(#functions, count)
      assert.is_nil(text:find("methods:", 1, true))
    end)
  end

  it("lists all modules on its first page", function()
    local text = source.read("build/docs/index.html")
    for _, page in ipairs(reference.pages()) do
      assert.is_truthy(text:find(("modules/%s.html"):format(page.module), 1, true), page.module)
    end
  end)
end)
